// Revocations, and the numbers of the CRLs that tell of them.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "connection.hpp"
#include "imprint/ledger/ledger.hpp"
#include "ledger_impl.hpp"
#include "queries.hpp"
#include "use.hpp"

namespace imprint::ledger {

namespace {

constexpr const char* kInsertRevocation =
    "INSERT OR IGNORE INTO revocations (certificate, revoked_at, reason) VALUES (?1, ?2, ?3)";
// Both tables are walked in the order of their keys.
constexpr const char* kSelectRevoked =
    "SELECT c.serial, v.revoked_at, v.reason FROM revocations AS v"
    " JOIN certificates AS c ON c.id = v.certificate JOIN runs AS r ON r.id = c.run"
    " WHERE ?1 IS NULL OR r.authority_key_sha256 IS NULL OR r.authority_key_sha256 = ?1"
    " ORDER BY v.certificate";
constexpr const char* kInsertCrl =
    "INSERT INTO crls (authority_key_sha256, number, this_update, next_update, entries)"
    " SELECT ?1, max(?2, coalesce(max(number), 0) + 1), ?2, ?3, ?4"
    " FROM crls WHERE authority_key_sha256 = ?1 RETURNING number";

}  // namespace

struct RevokedList::Impl {
  Impl(std::filesystem::path file, SQLite::Database opened, Bytes key)
      : path(std::move(file)),
        database(std::move(opened)),
        authority_key(std::move(key)) {}

  std::filesystem::path path;
  SQLite::Database database;
  Bytes authority_key;
  std::optional<SQLite::Transaction> snapshot;  // none: an old ledger, in which nothing is revoked
};

RevokedList::RevokedList(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

RevokedList::RevokedList(RevokedList&&) noexcept = default;
RevokedList& RevokedList::operator=(RevokedList&&) noexcept = default;
RevokedList::~RevokedList() = default;

Result<> RevokedList::for_each(const std::function<Result<>(const RevokedEntry&)>& visit) const {
  return guarded("reading", impl_->path, [&]() -> Result<> {
    if (!impl_->snapshot) return {};
    SQLite::Statement statement(impl_->database, kSelectRevoked);
    Use use(statement);
    use.bind_or_null(1, ByteView(impl_->authority_key));
    while (statement.executeStep()) {
      const SQLite::Column serial = statement.getColumn(0);
      const SQLite::Column reason = statement.getColumn(2);
      const char* const word = reason.getText();
      IMPRINT_TRY(
          visit({.serial = std::as_bytes(std::span(static_cast<const char*>(serial.getBlob()),
                                                   static_cast<std::size_t>(serial.size()))),
                 .at = TimePoint(std::chrono::seconds(statement.getColumn(1).getInt64())),
                 .reason = std::string_view(word, static_cast<std::size_t>(reason.size()))}));
    }
    return {};
  });
}

Result<RevokedList> Ledger::revoked(ByteView authority_key_sha256) const {
  return guarded("reading", impl_->path, [&]() -> Result<RevokedList> {
    SQLite::Database reader = IMPRINT_TRY(connect(impl_->path, Access::read_only));
    auto list = std::make_unique<RevokedList::Impl>(
        impl_->path, std::move(reader),
        Bytes(authority_key_sha256.begin(), authority_key_sha256.end()));
    if (list->database.tableExists("revocations")) {
      list->snapshot.emplace(list->database);
      // A transaction that has read nothing sees what is written until its first read.
      list->database.execAndGet("SELECT count(*) FROM runs");
    }
    return RevokedList(std::move(list));
  });
}

Result<std::int64_t> Ledger::revoke(std::span<const Revocation> revocations) {
  const std::lock_guard lock(impl_->mutex);
  return guarded("recording revocations in", impl_->path, [&]() -> Result<std::int64_t> {
    SQLite::Transaction transaction(impl_->database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement statement(impl_->database, kInsertRevocation);
    std::int64_t added = 0;
    std::string reason;
    for (const Revocation& revocation : revocations) {
      reason.assign(revocation.reason);
      Use use(statement);
      use.bind(1, revocation.certificate_row);
      use.bind(2, revocation.at);
      use.bind(3, reason);
      use.run();
      added += impl_->database.getChanges();
    }
    transaction.commit();
    return added;
  });
}

Result<std::uint64_t> Ledger::begin_crl(const CrlRecord& crl) {
  const std::lock_guard lock(impl_->mutex);
  return guarded("recording a CRL in", impl_->path, [&]() -> Result<std::uint64_t> {
    SQLite::Transaction transaction(impl_->database, SQLite::TransactionBehavior::IMMEDIATE);
    std::int64_t number = 0;
    {
      SQLite::Statement statement(impl_->database, kInsertCrl);
      Use use(statement);
      use.bind(1, crl.authority_key_sha256);
      use.bind(2, crl.this_update);
      use.bind(3, crl.next_update);
      use.bind(4, static_cast<std::int64_t>(crl.entries));
      if (statement.executeStep()) number = statement.getColumn(0).getInt64();
    }
    transaction.commit();
    return static_cast<std::uint64_t>(number);
  });
}

Result<std::optional<std::pair<TimePoint, TimePoint>>> Ledger::latest_crl(
    ByteView authority_key_sha256) const {
  using Updates = std::optional<std::pair<TimePoint, TimePoint>>;
  const std::lock_guard lock(impl_->mutex);
  return guarded("reading", impl_->path, [&]() -> Result<Updates> {
    if (!impl_->database.tableExists("crls")) return Updates();
    SQLite::Statement statement(impl_->database,
                                "SELECT this_update, next_update FROM crls"
                                " WHERE authority_key_sha256 = ?1 ORDER BY number DESC LIMIT 1");
    Use use(statement);
    use.bind(1, authority_key_sha256);
    if (!statement.executeStep()) return Updates();
    const auto time = [&](int column) {
      return TimePoint(std::chrono::seconds(statement.getColumn(column).getInt64()));
    };
    return Updates(std::pair(time(0), time(1)));
  });
}

Result<std::optional<DeviceRow>> Ledger::find_certificate(ByteView sha256) const {
  const std::lock_guard lock(impl_->mutex);
  return guarded("reading", impl_->path, [&]() -> Result<std::optional<DeviceRow>> {
    SQLite::Statement statement(
        impl_->database, select_rows(impl_->database, "WHERE c.certificate_sha256 = ?1 LIMIT 1"));
    Use use(statement);
    use.bind(1, sha256);
    return first_row(statement);
  });
}

Result<> Ledger::for_each_of(std::string_view device_id, const Visitor& visit) const {
  return guarded("reading", impl_->path, [&]() -> Result<> {
    SQLite::Database snapshot = IMPRINT_TRY(connect(impl_->path, Access::read_only));
    SQLite::Statement statement(snapshot,
                                select_rows(snapshot, "WHERE c.device_id = ?1 ORDER BY c.id"));
    const std::string id(device_id);
    Use use(statement);
    use.bind(1, id);
    DeviceRow row;
    while (statement.executeStep()) {
      IMPRINT_TRY(read_row(statement, row));
      visit(row);
    }
    return {};
  });
}

}  // namespace imprint::ledger
