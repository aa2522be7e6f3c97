#include "fat_table.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace imprint::image {

std::uint32_t FatTable::entry(Cluster cluster) const noexcept {
  // Asked for every cluster there is: no ByteCursor.
  const auto number = [this](std::size_t offset, std::size_t size) {
    std::uint32_t value = 0;
    const std::byte* from = bytes_.data() + offset;
    for (std::size_t i = 0; i < size; ++i)
      value |= std::to_integer<std::uint32_t>(from[i]) << (8 * i);
    return value;
  };
  switch (geometry_.type) {
    case FatType::fat12: {
      // Two entries in three bytes.
      const std::uint32_t pair = number(cluster + cluster / 2, 2);
      return cluster % 2 == 0 ? pair & 0xFFFU : pair >> 4U;
    }
    case FatType::fat16:
      return number(std::size_t{cluster} * 2, 2);
    case FatType::fat32:
      break;
  }
  return number(std::size_t{cluster} * 4, 4) & 0x0FFFFFFFU;
}

bool FatTable::ends(std::uint32_t entry) const noexcept {
  switch (geometry_.type) {
    case FatType::fat12:
      return entry >= 0xFF8;
    case FatType::fat16:
      return entry >= 0xFFF8;
    case FatType::fat32:
      break;
  }
  return entry >= 0x0FFFFFF8;
}

std::uint64_t FatTable::free_clusters(std::uint64_t enough) const noexcept {
  std::uint64_t count = 0;
  for (Cluster cluster = kFirstCluster; count < enough && geometry_.is_cluster(cluster);
       ++cluster) {
    if (is_free(cluster)) ++count;
  }
  return count;
}

std::vector<FatTable::Change> FatTable::changes_to(const FatTable& after) const {
  std::vector<Change> changes;
  for (std::size_t at = 0; at < bytes_.size(); at += kBlockBytes) {
    const std::size_t size = std::min(kBlockBytes, bytes_.size() - at);
    const ByteView now = ByteView(after.bytes_).subspan(at, size);
    if (std::memcmp(bytes_.data() + at, now.data(), size) == 0) continue;
    Change change{.offset = at, .bytes = now, .taken = {}, .freed = {}};
    const auto bits = static_cast<std::size_t>(geometry_.type);
    const auto first = static_cast<Cluster>(at * 8 / bits);
    const auto end = static_cast<Cluster>((at + size) * 8 / bits);
    for (Cluster cluster = std::max(first, kFirstCluster);
         cluster < end && geometry_.is_cluster(cluster); ++cluster) {
      if (is_free(cluster) == after.is_free(cluster)) continue;
      (is_free(cluster) ? change.taken : change.freed).push_back(cluster);
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

Result<std::vector<Cluster>> FatTable::chain(Cluster first, std::uint64_t limit) const {
  std::vector<Cluster> all;
  for (std::uint32_t at = first; !ends(at) || all.empty(); at = entry(at)) {
    if (!geometry_.is_cluster(at) || is_free(at)) {
      return fail(Code::corrupt,
                  fmt::format("its chain of clusters leads to cluster {}, which is {}; repair it "
                              "with 'fsck.vfat'",
                              at, geometry_.is_cluster(at) ? "free" : "none"));
    }
    if (all.size() >= limit) {
      return fail(Code::corrupt,
                  fmt::format("its chain has more than {} clusters, or runs in a circle; repair it "
                              "with 'fsck.vfat'",
                              limit));
    }
    all.push_back(at);
  }
  return all;
}

}  // namespace imprint::image
