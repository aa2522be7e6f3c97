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
    "INSERT OR IGNORE INTO revocations (certificate, revoked_at, reason, run)"
    " VALUES (?1, ?2, ?3, ?4)";
// Both tables are walked in the order of their keys.
constexpr const char* kSelectRevoked =
    "SELECT c.serial, v.revoked_at, v.reason FROM revocations AS v"
    " JOIN certificates AS c ON c.id = v.certificate JOIN runs AS r ON r.id = c.run"
    " WHERE ?1 IS NULL OR r.authority_key_sha256 IS NULL OR r.authority_key_sha256 = ?1"
    " ORDER BY v.certificate";
constexpr const char* kInsertCrl =
    "INSERT INTO crls (authority_key_sha256, number, this_update, next_update, entries)"
    " SELECT ?1, max(?2, ?5 + 1, coalesce(max(number), 0) + 1), ?2, ?3, ?4"
    " FROM crls WHERE authority_key_sha256 = ?1 RETURNING number";

constexpr const char* kSelectLatestCrl =
    "SELECT number, this_update, next_update, entries FROM crls"
    " WHERE authority_key_sha256 = ?1 ORDER BY number DESC LIMIT 1";

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

Result<> Ledger::Impl::insert_revocation(SQLite::Statement& statement, std::int64_t run,
                                         const Revocation& revocation) {
  word.assign(revocation.reason);
  Use use(statement);
  use.bind(1, revocation.certificate_row);
  use.bind(2, revocation.at);
  use.bind(3, word);
  use.bind(4, run);
  use.run();
  return {};
}

Result<std::int64_t> Ledger::Impl::revoke(std::int64_t run, std::span<const Revocation> revocations,
                                          std::span<const RevokedElsewhere> elsewhere) {
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  SQLite::Statement statement(database, kInsertRevocation);
  std::int64_t added = 0;
  for (const Revocation& revocation : revocations) {
    IMPRINT_TRY(insert_revocation(statement, run, revocation));
    added += database.getChanges();
  }
  if (!elsewhere.empty()) fingerprints.catch_up();
  for (const RevokedElsewhere& other : elsewhere) {
    IMPRINT_TRY(insert_repeated(run, other.certificate));
    const std::int64_t row = last_row;
    IMPRINT_TRY(insert({.certificate_row = row,
                        .state = State::lost,
                        .file = {},
                        .digest = {},
                        .reason = "issued without this ledger",
                        .at = other.at}));
    IMPRINT_TRY(insert_revocation(
        statement, run, {.certificate_row = row, .reason = other.reason, .at = other.at}));
    added += database.getChanges();
  }
  transaction.commit();
  return added;
}

Result<std::int64_t> Ledger::revoke(std::int64_t run, std::span<const Revocation> revocations,
                                    std::span<const RevokedElsewhere> elsewhere) {
  const std::lock_guard lock(impl_->mutex);
  auto revoked = guarded("recording revocations in", impl_->path,
                         [&] { return impl_->revoke(run, revocations, elsewhere); });
  if (!revoked) impl_->fingerprints.forget();
  return revoked;
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
      use.bind(5, static_cast<std::int64_t>(crl.above));
      if (statement.executeStep()) number = statement.getColumn(0).getInt64();
    }
    transaction.commit();
    return static_cast<std::uint64_t>(number);
  });
}

Result<std::optional<LatestCrl>> Ledger::latest_crl(ByteView authority_key_sha256) const {
  using Latest = std::optional<LatestCrl>;
  const std::lock_guard lock(impl_->mutex);
  return guarded("reading", impl_->path, [&]() -> Result<Latest> {
    if (!impl_->database.tableExists("crls")) return Latest();
    SQLite::Statement statement(impl_->database, kSelectLatestCrl);
    Use use(statement);
    use.bind(1, authority_key_sha256);
    if (!statement.executeStep()) return Latest();
    const auto number = [&](int column) { return statement.getColumn(column).getInt64(); };
    return Latest({.number = static_cast<std::uint64_t>(number(0)),
                   .this_update = TimePoint(std::chrono::seconds(number(1))),
                   .next_update = TimePoint(std::chrono::seconds(number(2))),
                   .entries = static_cast<std::uint64_t>(number(3))});
  });
}

Result<std::optional<DeviceRow>> Ledger::find_serial(ByteView serial,
                                                     ByteView authority_key_sha256) const {
  const std::lock_guard lock(impl_->mutex);
  return guarded("reading", impl_->path, [&]() -> Result<std::optional<DeviceRow>> {
    // Another CA's, or of before it was known whose: as revoked() has it.
    const bool knows_authorities = impl_->database.tableExists("revocations");
    SQLite::Statement statement(
        impl_->database,
        select_rows(impl_->database,
                    fmt::format("WHERE c.serial = ?1 AND (c.id IN (SELECT certificate FROM"
                                " fingerprints WHERE prefix = ?2)"
                                " OR c.id > (SELECT up_to FROM merged)) {} LIMIT 1",
                                knows_authorities ? "AND (r.authority_key_sha256 IS NULL"
                                                    " OR r.authority_key_sha256 = ?3)"
                                                  : "")));
    Use use(statement);
    use.bind(1, serial);
    use.bind(2, Fingerprints::prefix_of(serial));
    if (knows_authorities) use.bind(3, authority_key_sha256);
    return first_row(statement);
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
