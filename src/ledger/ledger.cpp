// One connection writes, guarded by a mutex, with statements that are prepared once. A group of
// certificates is one transaction, that is one fsync: at 512 in a group the disk's latency is
// shared by 512 devices. Whoever walks over the whole ledger gets a connection of its own, a
// snapshot that neither waits nor is waited for.

#include "imprint/ledger/ledger.hpp"

#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "connection.hpp"
#include "imprint/base/text.hpp"
#include "ledger_impl.hpp"
#include "queries.hpp"
#include "use.hpp"

namespace imprint::ledger {
namespace {

constexpr std::size_t kSha256Bytes = 32;
constexpr std::size_t kMostSerialBytes = 20;

constexpr const char* kInsertCertificate =
    "INSERT INTO certificates (run, device_id, subject, serial, certificate_sha256,"
    " public_key_sha256, not_before, not_after, key_kind, issued_at, public_key, identity_data,"
    " purpose, certificate)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
// Not INSERT ... SELECT: for that SQLite opens a temporary table and a journal for each row, 150 KB
// of memory that are then wiped.
constexpr const char* kInsertOutcome =
    "INSERT INTO outcomes (certificate, number, state, at, file, digest, reason) VALUES (?1,"
    " (SELECT coalesce(max(number), 0) + 1 FROM outcomes WHERE certificate = ?1),"
    " ?2, ?3, ?4, ?5, ?6)";
constexpr const char* kInsertRun =
    "INSERT INTO runs (tool_version, command, manifest_sha256, authority_sha256, started_at,"
    " authority_key_sha256) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
constexpr const char* kEndRun = "UPDATE runs SET ended_at = ?2, exit_status = ?3 WHERE id = ?1";
constexpr const char* kWithoutOutcome =
    "NOT EXISTS (SELECT 1 FROM outcomes WHERE certificate = c.id)";

/// The certificate whose `column` is ?1; its fingerprint is ?2. What is not merged yet is looked at
/// one by one.
std::string where_value_is(std::string_view column) {
  return fmt::format(
      "WHERE {} = ?1 AND (c.id IN (SELECT certificate FROM fingerprints WHERE prefix = ?2)"
      " OR c.id > (SELECT up_to FROM merged)) LIMIT 1",
      column);
}

/// What SQLite could not tell from a valid row.
Result<> check(const Issued& issued) {
  const auto refuse = [&issued](std::string_view what) {
    return fail(Code::internal, fmt::format("device {}: {}", quoted(issued.device_id), what));
  };
  if (issued.device_id.empty()) return refuse("a certificate without a device cannot be recorded");
  if (issued.serial.empty() || issued.serial.size() > kMostSerialBytes) {
    return refuse("a serial must have 1 to 20 bytes");
  }
  if (issued.certificate_sha256.size() != kSha256Bytes ||
      issued.public_key_sha256.size() != kSha256Bytes) {
    return refuse("certificate and public key must be given as SHA-256 digests");
  }
  return {};
}

}  // namespace

Ledger::Impl::Impl(std::filesystem::path file, SQLite::Database opened)
    : path(std::move(file)),
      database(std::move(opened)),
      insert_outcome(database, kInsertOutcome),
      by_device(database,
                select_rows(database, "WHERE c.device_id = ?1 ORDER BY c.id DESC LIMIT 1")),
      by_serial(database, select_rows(database, where_value_is("c.serial"))),
      by_public_key(database, select_rows(database, where_value_is("c.public_key_sha256"))),
      fingerprints(database) {}

/// A ledger that nobody writes has no log, so that reading it leaves no files beside it.
void Ledger::Impl::rest() noexcept {
  try {
    database.setBusyTimeout(0);
    database.exec("PRAGMA journal_mode = DELETE");
  } catch (const SQLite::Exception&) {
    // Somebody else has it open, or it was opened for reading: it stays as it is, and is as safe.
    return;
  }
}

Result<std::int64_t> Ledger::Impl::record(std::int64_t run, std::span<const Issued> issued,
                                          std::span<const Outcome> also) {
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  for (const Outcome& outcome : also)
    IMPRINT_TRY(insert(outcome));
  std::int64_t first = 0;
  if (!issued.empty()) {
    fingerprints.catch_up();
    for (const Issued& one : issued)
      IMPRINT_TRY(insert(run, one));
    fingerprints.merge_if_over(Fingerprints::kMostInMemory);
    // Nobody else can insert before the commit, so the rows are consecutive.
    first = last_row - static_cast<std::int64_t>(issued.size()) + 1;
  }
  transaction.commit();
  return first;
}

Result<> Ledger::Impl::insert(std::int64_t run, const Issued& issued) {
  IMPRINT_TRY(check(issued));
  IMPRINT_TRY(refuse_repetition(issued));
  return insert_repeated(run, issued);
}

Result<> Ledger::Impl::insert_repeated(std::int64_t run, const Issued& issued) {
  IMPRINT_TRY(check(issued));
  device_id.assign(issued.device_id);
  text.assign(issued.subject);
  word.assign(issued.key_kind);
  data.assign(issued.identity_data);
  purpose.assign(issued.purpose == Purpose::device ? std::string_view() : name(issued.purpose));
  if (!insert_certificate) insert_certificate.emplace(database, kInsertCertificate);
  Use use(*insert_certificate);
  use.bind(1, run);
  use.bind(2, device_id);
  use.bind(3, text);
  use.bind(4, issued.serial);
  use.bind(5, issued.certificate_sha256);
  use.bind(6, issued.public_key_sha256);
  use.bind(7, issued.not_before);
  use.bind(8, issued.not_after);
  use.bind(9, word);
  use.bind(10, issued.at);
  use.bind_or_null(11, issued.public_key);
  use.bind_or_null(12, data);
  use.bind_or_null(13, purpose);
  use.bind_or_null(14, issued.certificate);
  use.run();
  last_row = database.getLastInsertRowid();
  fingerprints.add(last_row, issued.serial, issued.public_key_sha256);
  return {};
}

Result<> Ledger::Impl::refuse_repetition(const Issued& issued) {
  const auto refuse = [&](std::string_view what, const DeviceRow& earlier) {
    return fail(
        Code::database,
        fmt::format("device {}: its {} is in the ledger {} already, for device {}: check the "
                    "random number generator of this machine before any more keys are made",
                    quoted(issued.device_id), what, quoted(path.native()),
                    quoted(earlier.device_id)));
  };
  if (fingerprints.may_know(issued.public_key_sha256)) {
    const auto earlier = IMPRINT_TRY(find(by_public_key, issued.public_key_sha256));
    if (earlier) return refuse("public key", *earlier);
  }
  if (fingerprints.may_know(issued.serial)) {
    const auto earlier = IMPRINT_TRY(find(by_serial, issued.serial));
    if (earlier) return refuse("serial", *earlier);
  }
  return {};
}

Result<> Ledger::Impl::insert(const Outcome& outcome) {
  if (outcome.state == State::issued) {
    return fail(Code::internal, "'issued' is the absence of an outcome and cannot be recorded");
  }
  device_id.assign(outcome.file);
  text.assign(outcome.reason);
  word.assign(name(outcome.state));
  Use use(insert_outcome);
  use.bind(1, outcome.certificate_row);
  use.bind(2, word);
  use.bind(3, outcome.at);
  use.bind_or_null(4, device_id);
  use.bind_or_null(5, outcome.digest);
  use.bind_or_null(6, text);
  use.run();
  return {};
}

Result<std::optional<DeviceRow>> Ledger::Impl::find(SQLite::Statement& statement, ByteView value) {
  Use use(statement);
  use.bind(1, value);
  use.bind(2, Fingerprints::prefix_of(value));
  return first_row(*use);
}

Result<> Ledger::Impl::walk(std::string_view rest, const Visitor& visit) const {
  const auto steps = [&]() -> Result<> {
    SQLite::Database snapshot = IMPRINT_TRY(connect(path, Access::read_only));
    SQLite::Statement statement(snapshot, select_rows(snapshot, rest));
    DeviceRow row;
    while (statement.executeStep()) {
      IMPRINT_TRY(read_row(statement, row));
      visit(row);
    }
    return {};
  };
  return guarded("reading", path, steps);
}

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;

Ledger::~Ledger() {
  if (impl_) impl_->rest();
}

Result<Ledger> Ledger::open(const std::filesystem::path& path) {
  return guarded("opening", path, [&]() -> Result<Ledger> {
    SQLite::Database database = IMPRINT_TRY(connect(path, Access::read_write));
    return Ledger(std::make_unique<Impl>(path, std::move(database)));
  });
}

Result<Ledger> Ledger::open_read_only(const std::filesystem::path& path) {
  return guarded("opening", path, [&]() -> Result<Ledger> {
    SQLite::Database database = IMPRINT_TRY(connect(path, Access::read_only));
    return Ledger(std::make_unique<Impl>(path, std::move(database)));
  });
}

Result<std::int64_t> Ledger::begin_run(const RunInfo& run) {
  const std::lock_guard lock(impl_->mutex);
  return guarded("recording a run in", impl_->path, [&]() -> Result<std::int64_t> {
    const std::string version(run.tool_version);
    const std::string command(run.command);
    SQLite::Statement statement(impl_->database, kInsertRun);
    Use use(statement);
    use.bind(1, version);
    use.bind(2, command);
    use.bind_or_null(3, run.manifest_sha256);
    use.bind_or_null(4, run.authority_sha256);
    use.bind(5, run.at);
    use.bind_or_null(6, run.authority_key_sha256);
    use.run();
    return impl_->database.getLastInsertRowid();
  });
}

Result<> Ledger::end_run(std::int64_t run, int exit_status, TimePoint at) {
  const std::lock_guard lock(impl_->mutex);
  auto ended = guarded("recording the end of a run in", impl_->path, [&]() -> Result<> {
    SQLite::Transaction transaction(impl_->database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement statement(impl_->database, kEndRun);
    Use use(statement);
    use.bind(1, run);
    use.bind(2, at);
    use.bind(3, std::int64_t{exit_status});
    use.run();
    if (impl_->database.getChanges() != 1) {
      return fail(Code::internal, fmt::format("there is no run {} that could end", run));
    }
    // Also what a run that was killed has left over.
    impl_->fingerprints.catch_up();
    impl_->fingerprints.merge_if_over(Fingerprints::kMostLeftOver);
    transaction.commit();
    return {};
  });
  if (!ended) impl_->fingerprints.forget();
  return ended;
}

Result<std::int64_t> Ledger::record_issued(std::int64_t run, std::span<const Issued> issued,
                                           std::span<const Outcome> also) {
  const std::lock_guard lock(impl_->mutex);
  auto recorded = guarded("recording certificates in", impl_->path,
                          [&] { return impl_->record(run, issued, also); });
  if (!recorded) impl_->fingerprints.forget();
  return recorded;
}

Result<> Ledger::record_outcomes(std::span<const Outcome> outcomes) {
  IMPRINT_TRY(record_issued(0, {}, outcomes));
  return {};
}

Result<std::optional<DeviceRow>> Ledger::find_device(std::string_view device_id) const {
  const std::lock_guard lock(impl_->mutex);
  return guarded("reading", impl_->path, [&]() -> Result<std::optional<DeviceRow>> {
    const std::string id(device_id);
    Use use(impl_->by_device);
    use.bind(1, id);
    return first_row(*use);
  });
}

Result<std::optional<DeviceRow>> Ledger::find_serial(ByteView serial) const {
  const std::lock_guard lock(impl_->mutex);
  return guarded("reading", impl_->path, [&] { return impl_->find(impl_->by_serial, serial); });
}

Result<std::optional<DeviceRow>> Ledger::find_public_key(ByteView sha256) const {
  const std::lock_guard lock(impl_->mutex);
  return guarded("reading", impl_->path, [&] { return impl_->find(impl_->by_public_key, sha256); });
}

Result<> Ledger::for_each_latest(const Visitor& visit) const {
  return impl_->walk(fmt::format("WHERE {} ORDER BY c.id", kLatest), visit);
}

Result<> Ledger::for_each_open(const Visitor& visit) const {
  return impl_->walk(fmt::format("WHERE {} ORDER BY c.id", kWithoutOutcome), visit);
}

Result<> Ledger::for_each(const Visitor& visit) const {
  return impl_->walk("ORDER BY c.id", visit);
}

Result<std::int64_t> Ledger::supersede_open(std::string_view reason, TimePoint at) {
  const std::lock_guard lock(impl_->mutex);
  return guarded("recording outcomes in", impl_->path, [&]() -> Result<std::int64_t> {
    const std::string why(reason);
    SQLite::Statement statement(
        impl_->database,
        fmt::format("INSERT INTO outcomes (certificate, number, state, at, reason)"
                    " SELECT c.id, 1, 'superseded', ?1, ?2 FROM certificates AS c WHERE {}",
                    kWithoutOutcome));
    Use use(statement);
    use.bind(1, at);
    use.bind_or_null(2, why);
    use.run();
    return std::int64_t{impl_->database.getChanges()};
  });
}

}  // namespace imprint::ledger
