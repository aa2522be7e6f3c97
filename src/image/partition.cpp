// libblkid reads the tables; this file decides what may be believed. libblkid answers "which device
// is this?" and is generous: a FAT boot sector can pass for an MBR, entries beyond the end are left
// in, a GPT whose end is cut off is simply not there. Writing to a wrong offset of somebody's image
// is worse than refusing it, so everything that does not add up is an error that says what was
// found.

#include "imprint/image/partition.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "disk_probe.hpp"
#include "imprint/base/text.hpp"
#include "little_endian.hpp"

namespace imprint::image {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kLargeSectorBytes = 4096;
constexpr std::string_view kGptMagic = "EFI PART";

/// Files that people take for an image, by their first bytes.
struct Disguise {
  std::size_t offset;
  std::string_view magic;
  std::string_view what;
};

constexpr std::string_view kDecompress = "compressed; decompress it first";

constexpr std::array kDisguises = {
    Disguise{0, "\x1f\x8b"sv, "gzip"},
    Disguise{0,
             "\xfd"
             "7zXZ\0"sv,
             "xz"},
    Disguise{0, "BZh"sv, "bzip2"},
    Disguise{0, "\x28\xb5\x2f\xfd"sv, "zstd"},
    Disguise{0, "\x04\x22\x4d\x18"sv, "lz4"},
    Disguise{0, "PK\x03\x04"sv, "zip"},
    Disguise{0, "7z\xbc\xaf\x27\x1c"sv, "7z"},
};

constexpr std::array kOtherFormats = {
    Disguise{0, "QFI\xfb"sv, "a QCOW2 disk; convert it with 'qemu-img convert -O raw'"},
    Disguise{0, "KDMV"sv, "a VMDK disk; convert it with 'qemu-img convert -O raw'"},
    Disguise{0, "\x3a\xff\x26\xed"sv, "an Android sparse image; convert it with 'simg2img'"},
    Disguise{257, "ustar"sv, "a tar archive (as Mender Artifacts are); a disk image is needed"},
};

[[nodiscard]] bool has(ByteView head, std::size_t offset, std::string_view magic) noexcept {
  return head.size() >= offset + magic.size() &&
         text_of(head.subspan(offset, magic.size())) == magic;
}

[[nodiscard]] std::string named(const FileImage& image) {
  return quoted(image.path().native());
}

[[nodiscard]] Unexpected truncated(const FileImage& image, std::string_view what,
                                   std::uint64_t end) {
  return fail(Code::invalid_input,
              fmt::format("{} is truncated: it has {} bytes, but {} ends at byte {}; get it again",
                          named(image), image.size_bytes(), what, end));
}

Result<> refuse_other_formats(const FileImage& image, ByteView head) {
  for (const Disguise& compressed : kDisguises) {
    if (has(head, compressed.offset, compressed.magic)) {
      return fail(Code::invalid_input,
                  fmt::format("{} is {} {}", named(image), compressed.what, kDecompress));
    }
  }
  for (const Disguise& other : kOtherFormats) {
    if (has(head, other.offset, other.magic)) {
      return fail(Code::invalid_input, fmt::format("{} is {}", named(image), other.what));
    }
  }
  return {};
}

/// For an image without a partition table: says what is there instead.
Result<> refuse_without_table(const FileImage& image) {
  const FileSystemHint hint = IMPRINT_TRY(probe_file_system(image, 0, image.size_bytes()));
  if (!hint.type.empty()) {
    return fail(Code::unsupported,
                fmt::format("{} is a bare {} file system without a partition table; this version "
                            "needs a whole disk image",
                            named(image), hint.type));
  }
  return fail(Code::invalid_input, fmt::format("{} has no partition table (neither MBR nor GPT); "
                                               "is it a disk image?",
                                               named(image)));
}

/// FAT, exFAT and NTFS keep their own boot sector where an MBR would be, with the same last two
/// bytes.
Result<> refuse_boot_sector(const FileImage& image) {
  const FileSystemHint hint = IMPRINT_TRY(probe_file_system(image, 0, image.size_bytes()));
  const bool owns_first_sector = hint.type == "vfat" || hint.type == "exfat" || hint.type == "ntfs";
  if (owns_first_sector) return refuse_without_table(image);
  return {};
}

[[nodiscard]] Unexpected large_sectors(const FileImage& image) {
  return fail(Code::unsupported,
              fmt::format("{} is laid out for a disk with 4096-byte sectors; this version handles "
                          "512-byte sectors only",
                          named(image)));
}

struct MbrEntry {
  unsigned boot_flag = 0;
  unsigned type = 0;
  std::uint64_t start = 0;  ///< sectors
  std::uint64_t sectors = 0;
};

[[nodiscard]] std::array<MbrEntry, 4> mbr_entries(ByteView head) {
  constexpr std::size_t kEntriesOffset = 446;
  std::array<MbrEntry, 4> entries;
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

constexpr unsigned kProtectiveType = 0xEE;

/// An MBR that holds its own partitions. A cut-off extended partition is seen here, before libblkid
/// would run into the missing end and find no table at all.
Result<> check_mbr(const FileImage& image, ByteView head) {
  bool any = false;
  int number = 0;
  for (const MbrEntry& entry : mbr_entries(head)) {
    ++number;
    if (entry.type == 0 || entry.sectors == 0) continue;
    any = true;
    if ((entry.boot_flag & 0x7FU) != 0 || entry.start == 0) {
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
  return any ? Result<>() : refuse_without_table(image);
}

/// Why a GPT that is announced cannot be read.
[[nodiscard]] Unexpected refuse_gpt(const FileImage& image, ByteView head) {
  if (has(head, kSectorBytes, kGptMagic)) {
    constexpr std::size_t kAlternateOffset = 32;
    ByteCursor cursor(head.subspan(kSectorBytes + kAlternateOffset));
    const std::uint64_t last_sector = cursor.number(8);
    const std::uint64_t sectors = image.size_bytes() / kSectorBytes;
    if (cursor.good() && last_sector >= sectors && last_sector < (std::uint64_t{1} << 54)) {
      return truncated(image, "its partition table (GPT)", (last_sector + 1) * kSectorBytes);
    }
  }
  return fail(Code::corrupt, fmt::format("{} has a damaged partition table (GPT); look at it with "
                                         "'sgdisk --verify'",
                                         named(image)));
}

Result<> check_first_sectors(const FileImage& image, ByteView head) {
  if (image.size_bytes() == 0) {
    return fail(Code::invalid_input, fmt::format("{} is empty", named(image)));
  }
  IMPRINT_TRY(refuse_other_formats(image, head));
  constexpr std::size_t kSignatureOffset = 510;
  if (!has(head, kSignatureOffset, "\x55\xaa")) return refuse_without_table(image);
  IMPRINT_TRY(refuse_boot_sector(image));
  if (has(head, kSectorBytes, kGptMagic)) return {};
  if (has(head, kLargeSectorBytes, kGptMagic)) return large_sectors(image);
  const auto entries = mbr_entries(head);
  const bool protective = std::any_of(entries.begin(), entries.end(), [](const MbrEntry& entry) {
    return entry.type == kProtectiveType;
  });
  return protective ? Result<>() : check_mbr(image, head);
}

Result<> check_geometry(const FileImage& image, std::vector<Partition> partitions) {
  std::sort(partitions.begin(), partitions.end(),
            [](const Partition& a, const Partition& b) { return a.offset_bytes < b.offset_bytes; });
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

/// An MBR does not say how large its sectors are; where the file systems are found does.
Result<> refuse_large_sector_mbr(const FileImage& image, const std::vector<Partition>& partitions) {
  constexpr std::uint64_t kRatio = kLargeSectorBytes / kSectorBytes;
  for (const Partition& partition : partitions) {
    if (!partition.file_system.empty()) return {};
  }
  for (const Partition& partition : partitions) {
    const std::uint64_t offset = partition.offset_bytes * kRatio;
    if (offset >= image.size_bytes()) continue;
    const std::uint64_t size = std::min(partition.size_bytes * kRatio, image.size_bytes() - offset);
    const FileSystemHint hint = IMPRINT_TRY(probe_file_system(image, offset, size));
    if (!hint.type.empty()) return large_sectors(image);
  }
  return {};
}

}  // namespace

Result<PartitionTable> read_partition_table(const FileImage& image) {
  Bytes head(static_cast<std::size_t>(
      std::min<std::uint64_t>(image.size_bytes(), kLargeSectorBytes + kSectorBytes)));
  IMPRINT_TRY(image.read(0, head));
  IMPRINT_TRY(check_first_sectors(image, head));

  std::optional<ProbedTable> probed = IMPRINT_TRY(probe_table(image));
  if (!probed) return refuse_gpt(image, head);
  if (probed->type != "dos" && probed->type != "gpt") {
    return fail(Code::unsupported,
                fmt::format("{} has a partition table of type {}; MBR and GPT are "
                            "supported",
                            named(image), quoted(probed->type)));
  }
  if (probed->partitions.empty()) {
    return fail(Code::invalid_input,
                fmt::format("the partition table of {} has no partitions", named(image)));
  }
  IMPRINT_TRY(check_geometry(image, probed->partitions));

  PartitionTable table;
  table.kind = probed->type == "gpt" ? TableKind::gpt : TableKind::mbr;
  table.partitions = std::move(probed->partitions);
  std::sort(table.partitions.begin(), table.partitions.end(),
            [](const Partition& a, const Partition& b) { return a.number < b.number; });
  for (Partition& partition : table.partitions) {
    FileSystemHint hint =
        IMPRINT_TRY(probe_file_system(image, partition.offset_bytes, partition.size_bytes));
    partition.file_system = std::move(hint.type);
    partition.label = std::move(hint.label);
  }
  if (table.kind == TableKind::mbr) IMPRINT_TRY(refuse_large_sector_mbr(image, table.partitions));
  return table;
}

}  // namespace imprint::image
