#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "imprint/base/bytes.hpp"

namespace imprint::ledger {

/// Says whether a serial or a key digest may have been recorded before. "Yes" is to be verified,
/// "no" is certain. See fingerprints.cpp. Throws SQLite::Exception; used inside a write
/// transaction, by one thread at a time.
class Fingerprints {
 public:
  explicit Fingerprints(SQLite::Database& database);

  /// Learns what this or another process has recorded since the last call. First thing in a
  /// transaction.
  void catch_up();
  [[nodiscard]] bool may_know(ByteView value);
  /// The serial and the key digest of a certificate that was just inserted.
  void add(std::int64_t certificate, ByteView serial, ByteView public_key_sha256);
  /// Moves what is held in memory to the file if there are so many certificates.
  void merge_if_over(std::size_t certificates);
  /// After a rollback: what was learnt in the transaction may never have happened.
  void forget();

  /// The first eight bytes as a number; a shorter value is filled up with zeros.
  [[nodiscard]] static std::int64_t prefix_of(ByteView value) noexcept;

  /// As many in memory cost 16 MiB or less.
  static constexpr std::size_t kMostInMemory = 65'536;
  /// More than this is merged at the end of a run, so that the next one starts at once.
  static constexpr std::size_t kMostLeftOver = 4'096;

 private:
  struct Entry {
    std::int64_t prefix;
    std::int64_t certificate;
  };

  void merge();

  SQLite::Database& database_;
  SQLite::Statement find_;
  SQLite::Statement load_;
  SQLite::Statement insert_;
  SQLite::Statement set_merged_;
  std::vector<Entry> recent_;                  ///< not in the file yet, as they came
  std::unordered_set<std::int64_t> prefixes_;  ///< of recent_
  std::optional<std::int64_t>
      last_known_;  ///< highest certificate learnt, none before the first catch_up
  bool file_has_some_ = false;
};

}  // namespace imprint::ledger
