#include "fat_directory.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "fat_names.hpp"
#include "imprint/base/text.hpp"
#include "little_endian.hpp"

namespace imprint::image {
namespace {

constexpr unsigned kVolumeLabel = 0x08;
constexpr unsigned kDirectory = 0x10;
constexpr unsigned kLongName = 0x0F;
constexpr unsigned kAttributeBits = 0x3F;
constexpr std::size_t kUnitsPerEntry = 13;
constexpr std::size_t kMaxLongEntries = 20;

[[nodiscard]] std::uint32_t field(ByteView entry, std::size_t offset, std::size_t size) {
  return static_cast<std::uint32_t>(ByteCursor(entry.subspan(offset, size)).number(size));
}

/// Puts a long name together from the entries before the one with the 8.3 name; they come last part
/// first. What does not fit together is no long name, as Linux sees it.
class LongName {
 public:
  void add(ByteView entry) {
    constexpr unsigned kLastPart = 0x40;
    const std::uint32_t order = field(entry, 0, 1);
    const std::size_t part = order & 0x1FU;
    if (part == 0 || part > kMaxLongEntries) return clear();
    if ((order & kLastPart) != 0) {
      clear();
      units_.assign(part * kUnitsPerEntry, u'\0');
      checksum_ = entry[kChecksum];
    } else if (part + 1 != next_ || entry[kChecksum] != checksum_) {
      return clear();
    }
    next_ = part;
    constexpr std::array<std::size_t, kUnitsPerEntry> kOffsets{1,  3,  5,  7,  9,  14, 16,
                                                               18, 20, 22, 24, 28, 30};
    for (std::size_t i = 0; i < kUnitsPerEntry; ++i) {
      units_[(part - 1) * kUnitsPerEntry + i] = static_cast<char16_t>(field(entry, kOffsets[i], 2));
    }
  }

  void clear() {
    units_.clear();
    next_ = 0;
  }

  /// The name, when it is complete and belongs to this entry.
  [[nodiscard]] std::optional<std::string> take_for(ByteView entry) {
    std::optional<std::string> name;
    if (next_ == 1 && short_name_checksum(entry) == checksum_) {
      const auto end = std::ranges::find(units_, u'\0');
      name = from_utf16({units_.begin(), end});
      if (name && !is_plain_name(*name)) name.reset();
    }
    clear();
    return name;
  }

 private:
  static constexpr std::size_t kChecksum = 13;

  std::vector<char16_t> units_;
  std::byte checksum_{};
  std::size_t next_ = 0;  ///< the part that was last seen
};

[[nodiscard]] Result<FatEntry> parse_entry(ByteView entry, std::optional<std::string> long_name) {
  const std::uint32_t attributes = field(entry, kFatAttributeOffset, 1);
  FatEntry found;
  found.short_name = short_name_of(entry);
  found.name = std::move(long_name).value_or(found.short_name);
  found.is_directory = (attributes & kDirectory) != 0;
  found.is_read_only = (attributes & kFatReadOnly) != 0;
  found.first_cluster = field(entry, 26, 2) | (field(entry, 20, 2) << 16U);
  found.size_bytes = found.is_directory ? 0 : field(entry, 28, 4);
  found.modified = from_fat_time(static_cast<std::uint16_t>(field(entry, 24, 2)),
                                 static_cast<std::uint16_t>(field(entry, 22, 2)));
  found.accessed = from_fat_time(static_cast<std::uint16_t>(field(entry, 18, 2)), 0);
  if (!is_plain_name(found.name)) {
    return fail(Code::corrupt,
                fmt::format("a directory has the name {}, which cannot be; repair it with "
                            "'fsck.vfat'",
                            quoted(found.name)));
  }
  return found;
}

/// Reads entry by entry, over the borders of pieces.
class DirectoryReader {
 public:
  explicit DirectoryReader(FatDirectory& into) : into_(into) {}

  Result<> read(ByteView entry, std::uint64_t offset) {
    constexpr std::byte kEnd{0};
    constexpr std::byte kDeleted{0xE5};
    if (at_end_ || entry.front() == kEnd || entry.front() == kDeleted) {
      at_end_ = at_end_ || entry.front() == kEnd;
      long_name_.clear();
      into_.longest_free_run = std::max(into_.longest_free_run, ++into_.free_at_end);
      return {};
    }
    into_.free_at_end = 0;
    const std::uint32_t attributes = field(entry, kFatAttributeOffset, 1);
    if ((attributes & kAttributeBits) == kLongName) {
      long_name_.add(entry);
      return {};
    }
    std::optional<std::string> name = long_name_.take_for(entry);
    if (entry.front() == std::byte{'.'}) return {};  // "." and "..": no other name may begin so
    if ((attributes & kVolumeLabel) != 0) {
      const auto date = static_cast<std::uint16_t>(field(entry, 24, 2));
      const auto time = static_cast<std::uint16_t>(field(entry, 22, 2));
      into_.newest = std::max(into_.newest, from_fat_time(date, time));
      return {};
    }
    FatEntry found = IMPRINT_TRY(parse_entry(entry, std::move(name)));
    found.offset = offset;
    into_.newest = std::max(into_.newest, found.modified);
    into_.entries.push_back(std::move(found));
    return {};
  }

 private:
  FatDirectory& into_;
  LongName long_name_;
  bool at_end_ = false;
};

}  // namespace

NodeInfo FatEntry::info() const {
  NodeInfo info;
  info.type = is_directory ? NodeType::directory : NodeType::file;
  info.mode = is_directory ? 0755U : 0644U;
  if (is_read_only) info.mode &= ~0222U;
  info.size_bytes = size_bytes;
  info.links = 1;
  info.modified = modified;
  info.accessed = accessed;
  info.changed = modified;
  return info;
}

const FatEntry* FatDirectory::find(std::string_view name) const {
  for (const FatEntry& entry : entries) {
    if (same_name(entry.name, name) || same_name(entry.short_name, name)) return &entry;
  }
  return nullptr;
}

Result<> parse_directory(const std::vector<FatPiece>& pieces, FatDirectory& directory) {
  DirectoryReader reader(directory);
  for (const FatPiece& piece : pieces) {
    for (std::size_t at = 0; at + kFatEntryBytes <= piece.bytes.size(); at += kFatEntryBytes) {
      const ByteView entry = ByteView(piece.bytes).subspan(at, kFatEntryBytes);
      IMPRINT_TRY(reader.read(entry, piece.offset + at));
    }
  }
  return {};
}

std::size_t entries_for(std::string_view name) {
  return 1 + (utf16_length(name) + kUnitsPerEntry - 1) / kUnitsPerEntry;
}

TimePoint within_fat_times(TimePoint time) {
  using namespace std::chrono;
  constexpr TimePoint kFirst = sys_days(1980y / January / 1);
  constexpr TimePoint kLast = sys_days(2107y / December / 31) + 23h + 59min + 58s;
  return std::clamp(time, kFirst, kLast);
}

std::uint32_t to_fat_time(TimePoint time) {
  using namespace std::chrono;
  const TimePoint possible = within_fat_times(time);
  const auto day = floor<days>(possible);
  const year_month_day date(day);
  const hh_mm_ss clock(possible - day);
  const auto years = static_cast<unsigned>(static_cast<int>(date.year()) - 1980);
  const auto half = static_cast<unsigned>(clock.seconds().count()) / 2;
  return (years << 25U) | (static_cast<unsigned>(date.month()) << 21U) |
         (static_cast<unsigned>(date.day()) << 16U) |
         (static_cast<unsigned>(clock.hours().count()) << 11U) |
         (static_cast<unsigned>(clock.minutes().count()) << 5U) | half;
}

TimePoint from_fat_time(std::uint16_t date, std::uint16_t time) {
  using namespace std::chrono;
  const year years(1980 + (date >> 9));
  const month months(std::clamp((date >> 5U) & 0xFU, 1U, 12U));
  const day days_of_month(std::max(date & 0x1FU, 1U));
  return sys_days(year_month_day(years, months, days_of_month)) + hours(time >> 11U) +
         minutes((time >> 5U) & 0x3FU) + seconds((time & 0x1FU) * 2);
}

}  // namespace imprint::image
