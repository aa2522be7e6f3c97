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
  std::string label;  ///< of the file system
};

enum class TableKind { mbr, gpt };

struct PartitionTable {
  TableKind kind = TableKind::mbr;
  std::vector<Partition> partitions;  ///< ascending by number, extended containers left out
};

/// MBR (with logical partitions) or GPT, by libblkid; no root needed. Errors: no partition table
/// (says what is there instead: a bare ext4, a gzip file, nothing), a partition beyond the end of
/// the image (truncated; names both sizes), partitions that overlap.
[[nodiscard]] Result<PartitionTable> read_partition_table(const FileImage& image);

/// Which partition plays which part on a Mender device.
struct Layout {
  TableKind table = TableKind::mbr;
  std::vector<Partition> partitions;
  Partition data;
  std::optional<Partition> rootfs_a;
  std::optional<Partition> rootfs_b;  ///< absent, or present but perhaps empty:
  bool rootfs_b_populated = false;    ///< has /etc/mender (reference: Yocto leaves B an empty ext4,
                                      ///< mender-convert fills it)
  bool rootfs_a_populated = false;
};

/// Roles by content first (data: ext file system with /mender/device_type; rootfs: ext file system
/// with /etc/mender), then label `data`, then position (mender layout: boot, A, B, data). No
/// candidate or more than one for data is an error that lists what was found. A and B in order of
/// partition number; an empty ext between or after a populated rootfs is B.
[[nodiscard]] Result<Layout> find_layout(const FileImage& image);

}  // namespace imprint::image
