#include "fat_geometry.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "little_endian.hpp"

namespace imprint::image {
namespace {

// Offsets of fields in the boot sector (Microsoft's FAT specification 1.03).
constexpr std::size_t kSectorBytes = 11;
constexpr std::size_t kClusterSectors = 13;
constexpr std::size_t kReservedSectors = 14;
constexpr std::size_t kFats = 16;
constexpr std::size_t kRootEntries = 17;
constexpr std::size_t kTotalSectors16 = 19;
constexpr std::size_t kFatSectors16 = 22;
constexpr std::size_t kTotalSectors32 = 32;
constexpr std::size_t kFatSectors32 = 36;
constexpr std::size_t kMirroring32 = 40;
constexpr std::size_t kRootCluster32 = 44;
constexpr std::size_t kInfoSector32 = 48;
// Linux and Windows NT mark a mounted file system here.
constexpr std::size_t kState16 = 37;
constexpr std::size_t kState32 = 65;

constexpr std::uint32_t kMaxFat12Clusters = 4084;
constexpr std::uint32_t kMaxFat16Clusters = 65524;
constexpr std::uint32_t kMaxFat32Clusters = 0x0FFFFFF5;
constexpr std::uint32_t kEntryBytes = 32;

[[nodiscard]] std::uint32_t field(ByteView sector, std::size_t offset, std::size_t size) {
  return static_cast<std::uint32_t>(ByteCursor(sector.subspan(offset, size)).number(size));
}

[[nodiscard]] Unexpected broken(std::string_view what) {
  return fail(Code::corrupt, fmt::format("its boot sector cannot be right: {}", what));
}

Result<> check_numbers(const FatGeometry& found, std::uint32_t cluster_sectors) {
  const std::uint32_t sector = found.sector_bytes;
  if (!std::has_single_bit(sector) || sector < 512 || sector > 4096) {
    return broken(fmt::format("sectors of {} bytes", sector));
  }
  if (!std::has_single_bit(cluster_sectors)) {
    return broken(fmt::format("clusters of {} sectors", cluster_sectors));
  }
  if (found.fats == 0 || found.fats > 2) return broken(fmt::format("{} FATs", found.fats));
  if (found.fat_sectors == 0) return broken("FATs of no sectors");
  if (found.reserved_sectors == 0) return broken("no reserved sectors");
  return {};
}

/// Counts clusters, from which the type follows.
Result<> measure(FatGeometry& found, std::uint64_t partition_bytes) {
  if (found.size_bytes() > partition_bytes) {
    return fail(Code::corrupt,
                fmt::format("the file system has {} bytes, its partition {}: the image is cut off "
                            "or the partition was made smaller",
                            found.size_bytes(), partition_bytes));
  }
  const std::uint64_t data = found.cluster_offset(kFirstCluster);
  if (data >= found.size_bytes()) return broken("no room for data");
  const std::uint64_t clusters = (found.size_bytes() - data) / found.cluster_bytes;
  const bool is_fat32 = found.type == FatType::fat32;
  if (!is_fat32) found.type = clusters > kMaxFat12Clusters ? FatType::fat16 : FatType::fat12;
  if (clusters == 0 || clusters > (is_fat32 ? kMaxFat32Clusters : kMaxFat16Clusters)) {
    return broken(fmt::format("{} clusters", clusters));
  }
  found.clusters = static_cast<std::uint32_t>(clusters);
  if (found.fat_bytes() > std::uint64_t{found.fat_sectors} * found.sector_bytes) {
    return broken(fmt::format("FATs of {} sectors for {} clusters", found.fat_sectors, clusters));
  }
  if (is_fat32 && !found.is_cluster(found.root_cluster)) {
    return broken(fmt::format("the root directory in cluster {}", found.root_cluster));
  }
  return {};
}

}  // namespace

std::uint64_t FatGeometry::fat_offset(std::uint32_t number) const noexcept {
  return (reserved_sectors + std::uint64_t{number} * fat_sectors) * sector_bytes;
}

std::uint64_t FatGeometry::fat_bytes() const noexcept {
  const std::uint64_t bits =
      (std::uint64_t{clusters} + kFirstCluster) * static_cast<std::uint64_t>(type);
  return (bits + 7) / 8;
}

std::uint64_t FatGeometry::root_offset() const noexcept {
  return fat_offset(fats);
}

std::uint64_t FatGeometry::root_bytes() const noexcept {
  const std::uint64_t bytes = std::uint64_t{root_entries} * kEntryBytes;
  return (bytes + sector_bytes - 1) / sector_bytes * sector_bytes;
}

std::uint64_t FatGeometry::cluster_offset(Cluster cluster) const noexcept {
  return root_offset() + root_bytes() + std::uint64_t{cluster - kFirstCluster} * cluster_bytes;
}

std::uint64_t FatGeometry::size_bytes() const noexcept {
  return total_sectors * sector_bytes;
}

Result<FatGeometry> read_fat_geometry(ByteView boot_sector, std::uint64_t partition_bytes) {
  const auto number = [&](std::size_t offset, std::size_t size) {
    return field(boot_sector, offset, size);
  };
  FatGeometry found;
  found.sector_bytes = number(kSectorBytes, 2);
  const std::uint32_t cluster_sectors = number(kClusterSectors, 1);
  found.cluster_bytes = found.sector_bytes * cluster_sectors;
  found.reserved_sectors = number(kReservedSectors, 2);
  found.fats = number(kFats, 1);
  found.root_entries = number(kRootEntries, 2);
  found.fat_sectors = number(kFatSectors16, 2);
  found.total_sectors = number(kTotalSectors16, 2);
  if (found.total_sectors == 0) found.total_sectors = number(kTotalSectors32, 4);
  if (found.fat_sectors == 0) {
    found.type = FatType::fat32;
    found.fat_sectors = number(kFatSectors32, 4);
    found.root_cluster = number(kRootCluster32, 4);
    found.info_sector = number(kInfoSector32, 2);
    // 0 or 0xFFFF: there is none.
    if (found.info_sector >= found.reserved_sectors) found.info_sector = 0;
    constexpr std::uint32_t kOneFatOnly = 0x80;
    if ((number(kMirroring32, 2) & kOneFatOnly) != 0) {
      return fail(Code::unsupported,
                  "only one of its FATs is in use (mirroring is off): mount it and copy its files "
                  "to a new one");
    }
  }
  const std::size_t state = found.type == FatType::fat32 ? kState32 : kState16;
  found.is_dirty = (number(state, 1) & 1U) != 0;
  IMPRINT_TRY(check_numbers(found, cluster_sectors));
  if (found.type == FatType::fat32 && found.root_entries != 0) {
    return broken("a FAT32 with a root directory of fixed size");
  }
  IMPRINT_TRY(measure(found, partition_bytes));
  return found;
}

}  // namespace imprint::image
