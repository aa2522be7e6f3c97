// libblkid reads the tables; this file decides what may be believed. libblkid answers "which device
// is this?" and is generous: a FAT boot sector can pass for an MBR, entries beyond the end are left
// in, a GPT whose end is cut off is simply not there. Writing to a wrong offset of somebody's image
// is worse than refusing it, so everything that does not add up is an error that says what was
// found.
//
// A file does not say how large its disk's sectors are, and both kinds of table count in sectors.
// For a GPT it is where its header lies: in the second sector. When both places have one, that of
// the larger sectors is the younger: the entries of a GPT with small sectors would have overwritten
// it. For an MBR it is where file systems are found.

#include "imprint/image/partition.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "disk_probe.hpp"
#include "imprint/base/text.hpp"
#include "little_endian.hpp"
#include "other_formats.hpp"
#include "seal.hpp"

namespace imprint::image {
namespace {

constexpr unsigned kSectorBytes = 512;
constexpr unsigned kLargeSectorBytes = 4096;
constexpr std::string_view kGptMagic = "EFI PART";

[[nodiscard]] std::string named(const FileImage& image) {
  return quoted(image.path().native());
}

[[nodiscard]] Unexpected truncated(const FileImage& image, std::string_view what,
                                   std::uint64_t end) {
  return fail(Code::invalid_input,
              fmt::format("{} is truncated: it has {} bytes, but {} ends at byte {}; get it again",
                          named(image), image.size_bytes(), what, end));
}

[[nodiscard]] Unexpected no_table(const FileImage& image) {
  return fail(Code::invalid_input, fmt::format("{} has neither a partition table (MBR or GPT) nor "
                                               "a file system; is it a disk image?",
                                               named(image)));
}

struct MbrEntry {
  unsigned boot_flag = 0;
  unsigned type = 0;
  std::uint64_t start = 0;  ///< sectors
  std::uint64_t sectors = 0;

  [[nodiscard]] bool used() const noexcept { return type != 0 && sectors != 0; }

  [[nodiscard]] bool plausible() const noexcept { return (boot_flag & 0x7FU) == 0 && start != 0; }
};

using MbrEntries = std::array<MbrEntry, 4>;

[[nodiscard]] MbrEntries mbr_entries(ByteView head) {
  constexpr std::size_t kEntriesOffset = 446;
  MbrEntries entries;
  ByteCursor cursor(head.subspan(kEntriesOffset));
  for (MbrEntry& entry : entries) {
    entry.boot_flag = static_cast<unsigned>(cursor.number(1));
    cursor.bytes(3);  // cylinder, head, sector: nobody has used them for decades
    entry.type = static_cast<unsigned>(cursor.number(1));
    cursor.bytes(3);
    entry.start = cursor.number(4);
    entry.sectors = cursor.number(4);
  }
  return entries;
}

/// The image as one file system; none when it has a partition table.
Result<std::optional<PartitionTable>> read_bare(const FileImage& image, ByteView head) {
  constexpr std::size_t kSignatureOffset = 510;
  const FileSystemHint hint = IMPRINT_TRY(probe_file_system(image, 0, image.size_bytes()));
  // FAT, exFAT and NTFS keep their own boot sector where an MBR would be, with the same last bytes.
  const bool owns_first_sector = hint.type == "vfat" || hint.type == "exfat" || hint.type == "ntfs";
  if (!owns_first_sector && has_magic(head, kSignatureOffset, "\x55\xaa")) {
    // Others leave the first sector to a boot loader, whose code is no table.
    const MbrEntries entries = mbr_entries(head);
    const bool is_table = std::ranges::any_of(entries, &MbrEntry::used);
    const bool is_sound = std::ranges::all_of(
        entries, [](const MbrEntry& entry) { return !entry.used() || entry.plausible(); });
    if (is_table && (is_sound || hint.type.empty())) return std::optional<PartitionTable>();
  }
  if (hint.type.empty()) return no_table(image);
  PartitionTable table;
  table.kind = TableKind::none;
  table.partitions.push_back({.number = 1,
                              .offset_bytes = 0,
                              .size_bytes = image.size_bytes(),
                              .file_system = hint.type,
                              .label = hint.label});
  return std::optional(std::move(table));
}

/// A cut-off extended partition is seen here, before libblkid would run into the missing end and
/// find no table at all.
Result<> check_mbr(const FileImage& image, const MbrEntries& entries) {
  int number = 0;
  for (const MbrEntry& entry : entries) {
    ++number;
    if (!entry.used()) continue;
    if (!entry.plausible()) {
      return fail(
          Code::invalid_input,
          fmt::format("{} has a partition table whose entry {} makes no sense; is it a disk "
                      "image?",
                      named(image), number));
    }
    const std::uint64_t end = (entry.start + entry.sectors) * kSectorBytes;
    if (end > image.size_bytes()) {
      return truncated(image, fmt::format("partition {}", number), end);
    }
  }
  return {};
}

Result<> check_geometry(const FileImage& image, std::vector<Partition> partitions) {
  std::ranges::sort(partitions, {}, &Partition::offset_bytes);
  const Partition* previous = nullptr;
  for (const Partition& partition : partitions) {
    const std::uint64_t end = partition.offset_bytes + partition.size_bytes;
    if (end < partition.offset_bytes || end > image.size_bytes()) {
      return truncated(image, fmt::format("partition {}", partition.number), end);
    }
    if (partition.offset_bytes == 0) {
      return fail(Code::invalid_input,
                  fmt::format("partition {} of {} begins at the partition table itself",
                              partition.number, named(image)));
    }
    if (previous != nullptr &&
        previous->offset_bytes + previous->size_bytes > partition.offset_bytes) {
      return fail(Code::invalid_input,
                  fmt::format("partitions {} and {} of {} overlap",
                              std::min(previous->number, partition.number),
                              std::max(previous->number, partition.number), named(image)));
    }
    previous = &partition;
  }
  return {};
}

/// What libblkid found, checked, with what the partitions hold.
Result<PartitionTable> complete(const FileImage& image, ProbedTable probed, unsigned sector_bytes) {
  if (probed.type != "dos" && probed.type != "gpt") {
    return fail(Code::unsupported,
                fmt::format("{} has a partition table of type {}; MBR and GPT are supported",
                            named(image), quoted(probed.type)));
  }
  if (probed.partitions.empty()) {
    return fail(Code::invalid_input,
                fmt::format("the partition table of {} has no partitions", named(image)));
  }
  IMPRINT_TRY(check_geometry(image, probed.partitions));
  PartitionTable table{.kind = probed.type == "gpt" ? TableKind::gpt : TableKind::mbr,
                       .partitions = std::move(probed.partitions),
                       .containers = std::move(probed.containers),
                       .sector_bytes = sector_bytes};
  std::ranges::sort(table.partitions, {}, &Partition::number);
  for (Partition& partition : table.partitions) {
    FileSystemHint hint =
        IMPRINT_TRY(probe_file_system(image, partition.offset_bytes, partition.size_bytes));
    partition.file_system = std::move(hint.type);
    partition.label = std::move(hint.label);
  }
  return table;
}

[[nodiscard]] bool has_file_systems(const PartitionTable& table) noexcept {
  return std::ranges::any_of(
      table.partitions, [](const Partition& partition) { return !partition.file_system.empty(); });
}

Result<PartitionTable> read_mbr(const FileImage& image, const MbrEntries& entries) {
  IMPRINT_TRY(check_mbr(image, entries));
  std::optional<ProbedTable> small = IMPRINT_TRY(probe_table(image, kSectorBytes));
  if (!small) return no_table(image);
  Result<PartitionTable> table = complete(image, std::move(*small), kSectorBytes);
  if (table && has_file_systems(*table)) return table;

  std::optional<ProbedTable> large = IMPRINT_TRY(probe_table(image, kLargeSectorBytes));
  if (!large) return table;
  Result<PartitionTable> other = complete(image, std::move(*large), kLargeSectorBytes);
  if (other && has_file_systems(*other)) return other;
  return table;
}

/// Sizes of sectors that would explain where GPT headers are, the likeliest first.
Result<std::vector<unsigned>> gpt_sector_sizes(const FileImage& image, ByteView head) {
  std::vector<unsigned> sizes;
  for (const unsigned size : {kLargeSectorBytes, kSectorBytes}) {
    if (has_magic(head, size, kGptMagic)) sizes.push_back(size);
  }
  for (const unsigned size : {kSectorBytes, kLargeSectorBytes}) {
    if (image.size_bytes() < 2 * std::uint64_t{size}) continue;
    Bytes backup(kGptMagic.size());
    IMPRINT_TRY(image.read(image.size_bytes() - size, backup));
    if (text_of(backup) == kGptMagic && std::ranges::find(sizes, size) == sizes.end())
      sizes.push_back(size);
  }
  return sizes;
}

/// Why a GPT that is announced cannot be read.
[[nodiscard]] Unexpected refuse_gpt(const FileImage& image, ByteView head) {
  for (const unsigned sector_bytes : {kLargeSectorBytes, kSectorBytes}) {
    if (!has_magic(head, sector_bytes, kGptMagic)) continue;
    constexpr std::size_t kAlternateOffset = 32;
    ByteCursor cursor(head.subspan(sector_bytes + kAlternateOffset));
    const std::uint64_t last_sector = cursor.number(8);
    const std::uint64_t sectors = image.size_bytes() / sector_bytes;
    if (cursor.good() && last_sector >= sectors && last_sector < (std::uint64_t{1} << 50)) {
      return truncated(image, "its partition table (GPT)", (last_sector + 1) * sector_bytes);
    }
  }
  return fail(Code::corrupt, fmt::format("{} has a damaged partition table (GPT); look at it with "
                                         "'sgdisk --verify'",
                                         named(image)));
}

Result<PartitionTable> read_gpt(const FileImage& image, ByteView head) {
  const auto sizes = IMPRINT_TRY(gpt_sector_sizes(image, head));
  for (const unsigned sector_bytes : sizes) {
    std::optional<ProbedTable> probed = IMPRINT_TRY(probe_table(image, sector_bytes));
    if (probed && probed->type == "gpt") return complete(image, std::move(*probed), sector_bytes);
  }
  return refuse_gpt(image, head);
}

/// The GPT's own mark in the MBR, so that tools which know only those keep off.
[[nodiscard]] bool is_protective(const MbrEntry& entry) noexcept {
  constexpr unsigned kProtectiveType = 0xEE;
  return entry.type == kProtectiveType;
}

Result<PartitionTable> read_any(const FileImage& image) {
  Bytes head(
      static_cast<std::size_t>(std::min<std::uint64_t>(image.size_bytes(), 2 * kLargeSectorBytes)));
  IMPRINT_TRY(image.read(0, head));
  if (head.empty()) return fail(Code::invalid_input, fmt::format("{} is empty", named(image)));
  IMPRINT_TRY(refuse_other_formats(image, head));
  std::optional<PartitionTable> bare = IMPRINT_TRY(read_bare(image, head));
  if (bare) return std::move(*bare);
  const MbrEntries entries = mbr_entries(head);
  return std::ranges::any_of(entries, is_protective) ? read_gpt(image, head)
                                                     : read_mbr(image, entries);
}

}  // namespace

std::string described_partition(const Partition& partition, const fs::path& image) {
  const std::string label =
      partition.label.empty() ? "" : fmt::format(" ({})", quoted(partition.label));
  return fmt::format("partition {}{} of {}", partition.number, label, quoted(image.native()));
}

Result<PartitionTable> read_partition_table(const FileImage& image) {
  PartitionTable table = IMPRINT_TRY(read_any(image));
  IMPRINT_TRY(find_seals(image, table.partitions));
  return table;
}

}  // namespace imprint::image
