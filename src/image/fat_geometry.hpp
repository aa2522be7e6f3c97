#pragma once

#include <cstdint>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

namespace imprint::image {

using Cluster = std::uint32_t;

/// The first cluster that there is; the two numbers before it have another use.
inline constexpr Cluster kFirstCluster = 2;

enum class FatType { fat12 = 12, fat16 = 16, fat32 = 32 };

/// Where everything lies in a FAT file system, in bytes from its beginning.
struct FatGeometry {
  FatType type = FatType::fat16;
  std::uint32_t sector_bytes = 512;
  std::uint32_t cluster_bytes = 512;
  std::uint32_t reserved_sectors = 1;
  std::uint32_t fats = 2;
  std::uint32_t fat_sectors = 0;   ///< of one
  std::uint32_t root_entries = 0;  ///< 0 on FAT32, whose root is a chain of clusters
  Cluster root_cluster = 0;        ///< of FAT32
  std::uint32_t info_sector = 0;   ///< FSInfo, where FAT32 counts free clusters; 0: none
  std::uint32_t clusters = 0;
  std::uint64_t total_sectors = 0;
  bool is_dirty = false;  ///< was not unmounted

  [[nodiscard]] std::uint64_t fat_offset(std::uint32_t number) const noexcept;
  /// Of the bytes that hold an entry for each cluster; the sectors may have more.
  [[nodiscard]] std::uint64_t fat_bytes() const noexcept;
  [[nodiscard]] std::uint64_t root_offset() const noexcept;
  [[nodiscard]] std::uint64_t root_bytes() const noexcept;
  [[nodiscard]] std::uint64_t cluster_offset(Cluster cluster) const noexcept;
  [[nodiscard]] std::uint64_t size_bytes() const noexcept;

  [[nodiscard]] bool is_cluster(Cluster cluster) const noexcept {
    return cluster >= kFirstCluster && cluster - kFirstCluster < clusters;
  }
};

/// The boot sector's first 512 bytes. Errors: Code::corrupt for numbers that cannot be,
/// Code::unsupported for a FAT32 that does not keep its FATs alike. Which of the three types it is
/// follows Linux (fs/fat/inode.c): FAT32 by its field for the FAT's size, the others by the number
/// of clusters.
[[nodiscard]] Result<FatGeometry> read_fat_geometry(ByteView boot_sector,
                                                    std::uint64_t partition_bytes);

}  // namespace imprint::image
