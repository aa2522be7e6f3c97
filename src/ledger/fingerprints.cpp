// A repeated serial or key means that the random number generator has failed, so each new one is
// compared with all that were ever recorded. Two UNIQUE indices would say just that, but serials
// and digests are random: in a ledger of a million devices nearly every insert falls on another
// page of either index, and a commit of 512 devices writes a thousand pages to the log and again to
// the file. Measured at 1,000,000 devices: 22 us CPU and 15 KB written a device.
//
// So the index is merged in bulk. The table `fingerprints` holds the first eight bytes of each
// value with its certificate, for all certificates up to `merged.up_to`; those after it are held in
// memory, and are read again from `certificates` when the ledger is opened. When 65,536 have come
// together they are sorted and inserted: every page is written once for dozens of entries, not once
// for each. What a merge has not reached yet is never lost, because it is derived from
// `certificates`.
//
// Eight bytes meet by chance once in 10^19 pairs, therefore a hit is verified against the whole
// value by the caller.
//
// Rejected: everything in memory (32 bytes for each device of the past, at every start), a Bloom
// filter (another durable structure), larger groups (a device waits for its group).

#include "fingerprints.hpp"

#include <algorithm>

namespace imprint::ledger {
namespace {

ByteView blob(SQLite::Statement& statement, int column) {
  const SQLite::Column value = statement.getColumn(column);
  return std::as_bytes(
      std::span(static_cast<const char*>(value.getBlob()), static_cast<std::size_t>(value.size())));
}

}  // namespace

std::int64_t Fingerprints::prefix_of(ByteView value) noexcept {
  std::uint64_t prefix = 0;
  for (std::size_t i = 0; i < sizeof(prefix); ++i) {
    prefix = (prefix << 8) | (i < value.size() ? std::to_integer<std::uint64_t>(value[i]) : 0);
  }
  return static_cast<std::int64_t>(prefix);
}

Fingerprints::Fingerprints(SQLite::Database& database)
    : database_(database),
      find_(database, "SELECT 1 FROM fingerprints WHERE prefix = ?1 LIMIT 1"),
      load_(database,
            "SELECT id, serial, public_key_sha256 FROM certificates WHERE id > ?1 ORDER BY id"),
      // OR IGNORE: another process may have merged the same certificates.
      insert_(database, "INSERT OR IGNORE INTO fingerprints (prefix, certificate) VALUES (?1, ?2)"),
      set_merged_(database, "UPDATE merged SET up_to = max(up_to, ?1)") {}

void Fingerprints::catch_up() {
  if (!last_known_) {
    last_known_ = database_.execAndGet("SELECT up_to FROM merged").getInt64();
    file_has_some_ = *last_known_ > 0;
  }
  load_.tryReset();
  load_.bind(1, *last_known_);
  while (load_.executeStep()) {
    add(load_.getColumn(0).getInt64(), blob(load_, 1), blob(load_, 2));
  }
  load_.tryReset();
}

bool Fingerprints::may_know(ByteView value) {
  const std::int64_t prefix = prefix_of(value);
  if (prefixes_.contains(prefix)) return true;
  if (!file_has_some_) return false;
  find_.tryReset();
  find_.bind(1, prefix);
  const bool found = find_.executeStep();
  find_.tryReset();
  return found;
}

void Fingerprints::add(std::int64_t certificate, ByteView serial, ByteView public_key_sha256) {
  for (const ByteView value : {serial, public_key_sha256}) {
    const std::int64_t prefix = prefix_of(value);
    recent_.push_back({prefix, certificate});
    prefixes_.insert(prefix);
  }
  last_known_ = certificate;
}

void Fingerprints::merge_if_over(std::size_t certificates) {
  if (recent_.size() / 2 > certificates) merge();
}

void Fingerprints::merge() {
  std::sort(recent_.begin(), recent_.end(), [](const Entry& a, const Entry& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : a.certificate < b.certificate;
  });
  for (const Entry& entry : recent_) {
    insert_.tryReset();
    insert_.bind(1, entry.prefix);
    insert_.bind(2, entry.certificate);
    insert_.exec();
  }
  insert_.tryReset();
  set_merged_.tryReset();
  set_merged_.bind(1, last_known_.value_or(0));
  set_merged_.exec();
  set_merged_.tryReset();
  recent_.clear();
  prefixes_.clear();
  file_has_some_ = true;
}

void Fingerprints::forget() {
  recent_.clear();
  prefixes_.clear();
  last_known_.reset();
}

}  // namespace imprint::ledger
