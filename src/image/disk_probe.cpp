#include "disk_probe.hpp"

#include <algorithm>
#include <array>
#include <blkid.h>
#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

struct FreeProbe {
  void operator()(blkid_struct_probe* probe) const noexcept { blkid_free_probe(probe); }
};

using ProbePtr = std::unique_ptr<blkid_struct_probe, FreeProbe>;

/// libblkid counts partitions in these whatever the medium's sectors are.
constexpr std::uint64_t kBlkidSectorBytes = 512;

[[nodiscard]] Error blkid_error(const FileImage& image) {
  const std::string what = "looking for partitions in " + quoted(image.path().native());
  return errno != 0 ? system_error(what) : Error(Code::io, what + ": libblkid failed");
}

/// A size of 0 means "to the end" to libblkid; nobody asks for an empty range.
Result<ProbePtr> new_probe(const FileImage& image, std::uint64_t offset_bytes,
                           std::uint64_t size_bytes) {
  errno = 0;
  ProbePtr probe(blkid_new_probe());
  if (!probe || blkid_probe_set_device(probe.get(), image.file().fd(),
                                       static_cast<blkid_loff_t>(offset_bytes),
                                       static_cast<blkid_loff_t>(size_bytes)) != 0) {
    return fail(blkid_error(image));
  }
  return probe;
}

[[nodiscard]] std::string value(blkid_probe probe, const char* name) {
  const char* data = nullptr;
  std::size_t size = 0;
  if (blkid_probe_lookup_value(probe, name, &data, &size) != 0 || size == 0) return {};
  return {data, size - 1};  // the size counts the NUL
}

enum class Found { one, none, several };

/// Looks for file systems of these types only, or for all but these.
template <std::size_t kCount>
void choose_types(blkid_probe probe, int choice, const std::array<const char*, kCount>& types) {
  std::array<char*, kCount + 1> names = {};  // libblkid wants them so, and changes none
  std::ranges::transform(types, names.begin(), [](const char* type) {
    return const_cast<char*>(type);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  });
  blkid_probe_enable_superblocks(probe, 1);
  blkid_probe_filter_superblocks_type(probe, choice, names.data());
}

Result<Found> find_superblock(const FileImage& image, blkid_probe probe) {
  blkid_probe_enable_superblocks(probe, 1);
  blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL);
  errno = 0;
  switch (blkid_do_safeprobe(probe)) {
    case 0:
      return Found::one;
    case 1:
      return Found::none;
    case -2:
      return Found::several;
    default:
      return fail(blkid_error(image));
  }
}

/// libblkid passes over an ext superblock whose checksum is wrong, as if there were nothing. For us
/// it is an ext file system that needs a check: it must not vanish from the list, and its label
/// with it.
Result<FileSystemHint> look_for_damaged_ext(const FileImage& image, std::uint64_t offset_bytes,
                                            std::uint64_t size_bytes) {
  constexpr std::uint64_t kSuperblockOffset = 1024;
  constexpr std::size_t kMagicOffset = 56;
  constexpr std::size_t kLabelOffset = 120;
  constexpr std::size_t kLabelBytes = 16;
  std::array<std::byte, kLabelOffset + kLabelBytes> superblock = {};
  if (size_bytes < kSuperblockOffset + superblock.size()) return FileSystemHint{};
  IMPRINT_TRY(image.read(offset_bytes + kSuperblockOffset, superblock));
  if (superblock[kMagicOffset] != std::byte{0x53} ||
      superblock[kMagicOffset + 1] != std::byte{0xEF}) {
    return FileSystemHint{};
  }
  std::string label(text_of(ByteView(superblock).last(kLabelBytes)));
  label.erase(std::min(label.find('\0'), label.size()));
  return FileSystemHint{"ext4", label};
}

/// The firmware's partition: by its type, or by the flag of an MBR that says "boot this one".
[[nodiscard]] bool has_boot_mark(blkid_partition part, std::string_view table_type) {
  if (table_type == "gpt") {
    constexpr std::string_view kEfiSystem = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
    const char* type = blkid_partition_get_type_string(part);
    return type != nullptr && type == kEfiSystem;
  }
  constexpr unsigned long long kActive = 0x80;
  constexpr int kEfiSystem = 0xEF;
  return (blkid_partition_get_flags(part) & kActive) != 0 ||
         blkid_partition_get_type(part) == kEfiSystem;
}

[[nodiscard]] Partition partition_of(blkid_partition part, std::string_view table_type) {
  return {
      .number = blkid_partition_get_partno(part),
      .offset_bytes =
          static_cast<std::uint64_t>(blkid_partition_get_start(part)) * kBlkidSectorBytes,
      .size_bytes = static_cast<std::uint64_t>(blkid_partition_get_size(part)) * kBlkidSectorBytes,
      .file_system = {},
      .label = {},
      .boot_mark = has_boot_mark(part, table_type),
  };
}

}  // namespace

Result<FileSystemHint> probe_file_system(const FileImage& image, std::uint64_t offset_bytes,
                                         std::uint64_t size_bytes) {
  if (size_bytes == 0) return FileSystemHint{};
  // To look for ZFS means to read a megabyte, most of what probing costs: only where nothing else
  // is.
  ProbePtr probe = IMPRINT_TRY(new_probe(image, offset_bytes, size_bytes));
  choose_types(probe.get(), BLKID_FLTR_NOTIN, std::array{"zfs_member"});
  Found found = IMPRINT_TRY(find_superblock(image, probe.get()));
  if (found == Found::none) {
    probe = IMPRINT_TRY(new_probe(image, offset_bytes, size_bytes));
    found = IMPRINT_TRY(find_superblock(image, probe.get()));
  }
  if (found == Found::several) {
    // Remains of an earlier file system beside the present one. An ext one is what devices would
    // mount.
    probe = IMPRINT_TRY(new_probe(image, offset_bytes, size_bytes));
    choose_types(probe.get(), BLKID_FLTR_ONLYIN, std::array{"ext2", "ext3", "ext4"});
    found = IMPRINT_TRY(find_superblock(image, probe.get()));
  }
  if (found != Found::one) return look_for_damaged_ext(image, offset_bytes, size_bytes);
  return FileSystemHint{value(probe.get(), "TYPE"), value(probe.get(), "LABEL")};
}

Result<std::optional<ProbedTable>> probe_table(const FileImage& image, unsigned sector_bytes) {
  const ProbePtr probe = IMPRINT_TRY(new_probe(image, 0, image.size_bytes()));
  if (blkid_probe_set_sectorsize(probe.get(), sector_bytes) != 0) return fail(blkid_error(image));
  blkid_probe_enable_partitions(probe.get(), 1);
  errno = 0;
  const blkid_partlist list = blkid_probe_get_partitions(probe.get());
  if (list == nullptr) return std::nullopt;
  const blkid_parttable root = blkid_partlist_get_table(list);
  if (root == nullptr) return std::nullopt;

  ProbedTable table;
  table.type = blkid_parttable_get_type(root);
  for (int i = 0; i < blkid_partlist_numof_partitions(list); ++i) {
    const blkid_partition part = blkid_partlist_get_partition(list, i);
    // The extended container is no partition to work with; a BSD or Minix table inside a partition
    // is that partition's own affair.
    const blkid_parttable own = blkid_partition_get_table(part);
    if (blkid_partition_is_extended(part) != 0) {
      table.containers.push_back(blkid_partition_get_partno(part));
      continue;
    }
    if (own != nullptr && blkid_parttable_get_type(own) != table.type) continue;
    table.partitions.push_back(partition_of(part, table.type));
  }
  return table;
}

}  // namespace imprint::image
