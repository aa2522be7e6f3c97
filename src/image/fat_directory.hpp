#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fat_geometry.hpp"
#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/node.hpp"

namespace imprint::image {

/// A name in a directory and what the directory says about it: all there is to know about a file on
/// FAT but for its chain of clusters.
struct FatEntry {
  std::string name;        ///< the long one where there is one
  std::string short_name;  ///< the 8.3 one
  bool is_directory = false;
  bool is_read_only = false;
  Cluster first_cluster = 0;  ///< 0: none, it is empty
  std::uint32_t size_bytes = 0;
  TimePoint modified;
  TimePoint accessed;
  /// From the file system's beginning, of the 32 bytes with the 8.3 name.
  std::uint64_t offset = 0;

  [[nodiscard]] NodeInfo info() const;
};

/// What a directory holds, as it was read.
struct FatDirectory {
  Cluster first_cluster = 0;         ///< 0: the root directory of FAT12 and FAT16
  std::vector<Cluster> chain;        ///< empty for that one
  std::vector<FatEntry> entries;     ///< in the order of the disk, without `.`, `..` and the label
  std::size_t longest_free_run = 0;  ///< of entries, where a new name could go
  std::size_t free_at_end = 0;       ///< of entries: a directory that grows goes on from here
  TimePoint newest;                  ///< of all its entries, the label among them

  /// By the long or the short name, without regard to letter case; null when there is none.
  [[nodiscard]] const FatEntry* find(std::string_view name) const;
};

/// A piece of a directory's bytes and where it comes from.
struct FatPiece {
  std::uint64_t offset = 0;  ///< from the file system's beginning
  Bytes bytes;
};

/// Adds the pieces of one directory, in order, to `directory`. Code::corrupt for entries that no
/// file system in order has.
[[nodiscard]] Result<> parse_directory(const std::vector<FatPiece>& pieces,
                                       FatDirectory& directory);

inline constexpr std::size_t kFatEntryBytes = 32;

/// Entries that a name takes: one, and one for 13 characters of a long name each.
[[nodiscard]] std::size_t entries_for(std::string_view name);

/// Date and time as an entry has them (date in the upper half), from UTC; cut to what FAT can say:
/// even seconds of 1980 to 2107.
[[nodiscard]] std::uint32_t to_fat_time(TimePoint time);
[[nodiscard]] TimePoint from_fat_time(std::uint16_t date, std::uint16_t time);

/// The nearest time that FAT can say.
[[nodiscard]] TimePoint within_fat_times(TimePoint time);

// Fields of an entry that are changed in their place.
inline constexpr std::uint64_t kFatAttributeOffset = 11;
inline constexpr std::uint64_t kFatTimeOffset = 22;  ///< time, then date, of modification
inline constexpr unsigned kFatReadOnly = 0x01;

}  // namespace imprint::image
