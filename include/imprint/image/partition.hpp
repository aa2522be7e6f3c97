#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

struct Partition {
  int number = 0;  ///< as the kernel and parted count: logical MBR partitions from 5
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
  std::string
      file_system;  ///< blkid's word ("ext4", "vfat", "swap", "squashfs"), empty when there is none
  std::string label;       ///< of the file system
  bool boot_mark = false;  ///< an MBR's active flag, or the type of an EFI system partition
  /// Why a change inside would break it ("is protected by dm-verity (partition 3)"); empty when
  /// nothing is known against one.
  std::string sealed = {};
};

/// For messages: "partition 1 ('BOOT') of 'x.img'".
[[nodiscard]] std::string described_partition(const Partition& partition, const fs::path& image);

/// `none`: the image is one file system, from its first byte to its last; it counts as partition 1.
enum class TableKind { none, mbr, gpt };

struct PartitionTable {
  TableKind kind = TableKind::mbr;
  std::vector<Partition> partitions;  ///< ascending by number, extended containers left out
  std::vector<int> containers = {};   ///< numbers of the extended partitions
  unsigned sector_bytes = 512;        ///< what the table counts in: 512 or 4096
};

/// MBR (with logical partitions) or GPT, of disks with 512- or 4096-byte sectors, or a file system
/// without a table; by libblkid, no root needed. The file's name means nothing. Errors: neither
/// table nor file system (says what is there instead: a gzip file, nothing), a partition beyond the
/// end of the image (truncated; names both sizes), partitions that overlap.
[[nodiscard]] Result<PartitionTable> read_partition_table(const FileImage& image);

/// Which partition plays which part on a Mender device.
struct Layout {
  TableKind table = TableKind::mbr;
  std::vector<Partition> partitions;
  std::optional<Partition> boot;  ///< what the device mounts at /boot/efi, /uboot and the like
  std::optional<Partition> rootfs_a;
  std::optional<Partition> rootfs_b;  ///< absent, or present but perhaps empty:
  bool rootfs_b_populated = false;    ///< has /etc/mender (reference: Yocto leaves B an empty ext4,
                                      ///< mender-convert fills it)
  bool rootfs_a_populated = false;
  std::optional<Partition> data;  ///< absent from the image of a root file system alone
};

/// Partition numbers that somebody has said; they stand above all signs.
struct LayoutChoice {
  std::optional<int> boot = std::nullopt;
  std::optional<int> rootfs_a = std::nullopt;
  std::optional<int> rootfs_b = std::nullopt;
  std::optional<int> data = std::nullopt;
};

/// Roles by choice, then by content (data: /mender/device_type; roots: /etc/mender), then by label
/// (`data`, `boot`), then by position (boot, A, B, data); docs/image.md has the rules. A role may
/// have nobody. Errors: two answers for one role, or a choice that cannot be, with what was found;
/// an ext file system that needs repair where one of ours may be.
[[nodiscard]] Result<Layout> find_layout(const FileImage& image, const LayoutChoice& choice = {});

/// The data partition; Code::invalid_input, with what the image has instead, when there is none.
[[nodiscard]] Result<Partition> data_partition(const Layout& layout, const fs::path& image);

}  // namespace imprint::image
