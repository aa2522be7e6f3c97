// One connection writes, guarded by a mutex, with statements that are prepared once. A group of
// certificates is one transaction, that is one fsync: at 512 in a group the disk's latency is
// shared by 512 devices. Whoever walks over the whole ledger gets a connection of its own, a
// snapshot that neither waits nor is waited for.

#include "imprint/ledger/ledger.hpp"

#include <mutex>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "connection.hpp"
#include "imprint/base/text.hpp"
#include "queries.hpp"

namespace imprint::ledger {
namespace {

constexpr std::size_t kSha256Bytes = 32;
constexpr std::size_t kMostSerialBytes = 20;

constexpr const char* kInsertCertificate =
    "INSERT INTO certificates (run, device_id, subject, serial, certificate_sha256,"
    " public_key_sha256, not_before, not_after, key_kind, issued_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
constexpr const char* kInsertOutcome =
    "INSERT INTO outcomes (certificate, number, state, at, file, digest, reason)"
    " SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6"
    " FROM outcomes WHERE certificate = ?1";
constexpr const char* kInsertRun =
    "INSERT INTO runs (tool_version, command, manifest_sha256, authority_sha256, started_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5)";
constexpr const char* kEndRun = "UPDATE runs SET ended_at = ?2, exit_status = ?3 WHERE id = ?1";
constexpr const char* kWithoutOutcome =
    "NOT EXISTS (SELECT 1 FROM outcomes WHERE certificate = c.id)";
constexpr const char* kLatest =
    "NOT EXISTS (SELECT 1 FROM certificates AS n WHERE n.device_id = c.device_id AND n.id > c.id)";

std::int64_t seconds_of(TimePoint time) {
  return time.time_since_epoch().count();
}

/// A statement made ready for new parameters when it is taken and for the transaction's end when it
/// is let go.
class Use {
 public:
  explicit Use(SQLite::Statement& statement) : statement_(statement) {}

  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  // What it returns is the error of the last step, which was reported then.
  ~Use() { statement_.tryReset(); }

  /// No copy: the bytes must live until the statement has run.
  void bind(int index, ByteView bytes) {
    statement_.bindNoCopy(index, bytes.data(), static_cast<int>(bytes.size()));
  }

  void bind_or_null(int index, ByteView bytes) {
    if (bytes.empty()) {
      statement_.bind(index);
    } else {
      bind(index, bytes);
    }
  }

  void bind(int index, const std::string& text) { statement_.bindNoCopy(index, text); }

  void bind_or_null(int index, const std::string& text) {
    if (text.empty()) {
      statement_.bind(index);
    } else {
      bind(index, text);
    }
  }

  void bind(int index, std::int64_t number) { statement_.bind(index, number); }

  void bind(int index, TimePoint time) { statement_.bind(index, seconds_of(time)); }

  void run() { statement_.exec(); }

  SQLite::Statement& operator*() { return statement_; }

 private:
  SQLite::Statement& statement_;
};

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

struct Ledger::Impl {
  Impl(std::filesystem::path file, SQLite::Database opened)
      : path(std::move(file)),
        database(std::move(opened)),
        insert_certificate(database, kInsertCertificate),
        insert_outcome(database, kInsertOutcome),
        by_device(database, select_rows("WHERE c.device_id = ?1 ORDER BY c.id DESC LIMIT 1")),
        by_serial(database, select_rows("WHERE c.serial = ?1")),
        by_public_key(database, select_rows("WHERE c.public_key_sha256 = ?1")) {}

  /// The functions below expect the mutex held, and an open transaction for those that insert.
  Result<> insert(std::int64_t run, const Issued& issued);
  Result<> insert(const Outcome& outcome);
  Result<std::optional<DeviceRow>> find(SQLite::Statement& statement, ByteView key);
  Error explain_collision(const Issued& issued);

  Result<> walk(std::string_view rest, const Visitor& visit) const;

  std::filesystem::path path;
  std::mutex mutex;
  SQLite::Database database;
  SQLite::Statement insert_certificate;
  SQLite::Statement insert_outcome;
  SQLite::Statement by_device;
  SQLite::Statement by_serial;
  SQLite::Statement by_public_key;
  // SQLiteCpp binds text without a copy from std::string only. Kept, so that they are allocated
  // once.
  std::string device_id;
  std::string text;
  std::string word;
};

Result<> Ledger::Impl::insert(std::int64_t run, const Issued& issued) {
  IMPRINT_TRY(check(issued));
  device_id.assign(issued.device_id);
  text.assign(issued.subject);
  word.assign(issued.key_kind);
  Use use(insert_certificate);
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
  try {
    use.run();
  } catch (const SQLite::Exception& exception) {
    if (exception.getExtendedErrorCode() != SQLITE_CONSTRAINT_UNIQUE) throw;
    return fail(explain_collision(issued));
  }
  return {};
}

Error Ledger::Impl::explain_collision(const Issued& issued) {
  std::string_view what = "public key";
  auto earlier = find(by_public_key, issued.public_key_sha256);
  if (earlier && !earlier->has_value()) {
    what = "serial";
    earlier = find(by_serial, issued.serial);
  }
  const std::string holder =
      earlier && earlier->has_value() ? quoted((*earlier)->device_id) : std::string("another");
  return {Code::database,
          fmt::format("device {}: its {} is in the ledger {} already, for device {}: check the "
                      "random number generator of this machine before any more keys are made",
                      quoted(issued.device_id), what, quoted(path.native()), holder)};
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

Result<std::optional<DeviceRow>> Ledger::Impl::find(SQLite::Statement& statement, ByteView key) {
  Use use(statement);
  use.bind(1, key);
  return first_row(*use);
}

Result<> Ledger::Impl::walk(std::string_view rest, const Visitor& visit) const {
  const auto steps = [&]() -> Result<> {
    SQLite::Database snapshot = IMPRINT_TRY(connect(path, Access::read_only));
    SQLite::Statement statement(snapshot, select_rows(rest));
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
Ledger::~Ledger() = default;

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
    use.run();
    return impl_->database.getLastInsertRowid();
  });
}

Result<> Ledger::end_run(std::int64_t run, int exit_status, TimePoint at) {
  const std::lock_guard lock(impl_->mutex);
  return guarded("recording the end of a run in", impl_->path, [&]() -> Result<> {
    SQLite::Statement statement(impl_->database, kEndRun);
    Use use(statement);
    use.bind(1, run);
    use.bind(2, at);
    use.bind(3, std::int64_t{exit_status});
    use.run();
    if (impl_->database.getChanges() != 1) {
      return fail(Code::internal, fmt::format("there is no run {} that could end", run));
    }
    return {};
  });
}

Result<std::int64_t> Ledger::record_issued(std::int64_t run, std::span<const Issued> issued,
                                           std::span<const Outcome> also) {
  const std::lock_guard lock(impl_->mutex);
  return guarded("recording certificates in", impl_->path, [&]() -> Result<std::int64_t> {
    SQLite::Transaction transaction(impl_->database, SQLite::TransactionBehavior::IMMEDIATE);
    for (const Outcome& outcome : also)
      IMPRINT_TRY(impl_->insert(outcome));
    for (const Issued& one : issued)
      IMPRINT_TRY(impl_->insert(run, one));
    // Nobody else can insert before the commit, so the rows are consecutive.
    const std::int64_t last = issued.empty() ? 0 : impl_->database.getLastInsertRowid();
    transaction.commit();
    return last - static_cast<std::int64_t>(issued.size()) + (issued.empty() ? 0 : 1);
  });
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
