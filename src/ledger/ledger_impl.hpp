#pragma once

#include <mutex>
#include <optional>

#include <SQLiteCpp/SQLiteCpp.h>

#include "fingerprints.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::ledger {

struct Ledger::Impl {
  Impl(std::filesystem::path file, SQLite::Database opened);

  // These expect the mutex held, and all but record and find an open transaction.
  Result<std::int64_t> record(std::int64_t run, std::span<const Issued> issued,
                              std::span<const Outcome> also);
  Result<> insert(std::int64_t run, const Issued& issued);
  /// The same without asking whether serial or key were there before.
  Result<> insert_repeated(std::int64_t run, const Issued& issued);
  Result<> insert(const Outcome& outcome);
  Result<> refuse_repetition(const Issued& issued);
  Result<> insert_revocation(SQLite::Statement& statement, std::int64_t run,
                             const Revocation& revocation);
  Result<std::int64_t> revoke(std::int64_t run, std::span<const Revocation> revocations,
                              std::span<const RevokedElsewhere> elsewhere);
  Result<std::optional<DeviceRow>> find(SQLite::Statement& statement, ByteView value);

  Result<> walk(std::string_view rest, const Visitor& visit) const;
  void rest() noexcept;

  std::filesystem::path path;
  std::mutex mutex;
  SQLite::Database database;
  /// Prepared when first needed: a ledger of an older format, opened for reading, lacks columns.
  std::optional<SQLite::Statement> insert_certificate;
  SQLite::Statement insert_outcome;
  SQLite::Statement by_device;
  SQLite::Statement by_serial;
  SQLite::Statement by_public_key;
  Fingerprints fingerprints;
  std::int64_t last_row = 0;
  // SQLiteCpp binds text without a copy from std::string only. Kept, so that they are allocated
  // once.
  std::string device_id;
  std::string text;
  std::string word;
  std::string data;
  std::string purpose;
};

}  // namespace imprint::ledger
