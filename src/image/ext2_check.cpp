#include "ext2_check.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace imprint::image {
namespace {

// Inodes, bitmaps and directories are looked at as they lie in the image.
static_assert(std::endian::native == std::endian::little, "ext file systems are little endian");

/// How often a file system with shared blocks may name each of its blocks: far more than any does,
/// and few enough that the worst one ends.
constexpr blk64_t kMostClaims = 64;

}  // namespace

bool ClusterSet::add(std::uint64_t first, std::uint64_t count) noexcept {
  bool fresh = true;
  while (count > 0) {
    const unsigned bit = first % 64;
    const std::uint64_t here = std::min<std::uint64_t>(count, 64 - bit);
    const std::uint64_t mask = (~std::uint64_t{0} >> (64 - here)) << bit;
    std::uint64_t& word = words_[static_cast<std::size_t>(first / 64)];
    fresh = fresh && (word & mask) == 0;
    word |= mask;
    first += here;
    count -= here;
  }
  return fresh;
}

CheckState::CheckState(Volume::Impl& volume)
    : impl(volume),
      fs(volume.fs),
      super(*volume.fs->super),
      block_bytes(volume.fs->blocksize),
      first_block(super.s_first_data_block),
      end_block(ext2fs_blocks_count(&super)),
      has_checksums(ext2fs_has_feature_metadata_csum(&super) != 0),
      shares_blocks(ext2fs_has_feature_shared_blocks(&super) != 0),
      used(cluster_of(end_block - 1) + 1),
      claims_left((end_block - first_block) * kMostClaims),
      inodes(fs->group_desc_count) {}

Result<> CheckState::read(blk64_t block, MutableBytes into) const {
  return impl.check(impl.target.read(block * block_bytes, into));
}

Result<> CheckState::claim(blk64_t block, blk64_t count, InodeNumber who) {
  if (!is_block(block) || count > end_block - block) {
    return corrupt(fmt::format("inode {} claims block {}, which does not exist", who, block));
  }
  const std::uint64_t first = cluster_of(block);
  const std::uint64_t clusters = cluster_of(block + count - 1) - first + 1;
  if (claims_left < clusters) {
    return corrupt("the inodes claim more blocks than there can be in a file system of its size");
  }
  claims_left -= clusters;
  if (used.add(first, clusters) || shares_blocks) return {};
  return corrupt(fmt::format("inode {} claims block {}{}, which belongs to something else, too",
                             who, block,
                             count == 1 ? "" : fmt::format(" to {}", block + count - 1)));
}

InodeSeen* CheckState::seen(InodeNumber number) noexcept {
  if (number == 0) return nullptr;
  const std::size_t group = (number - 1) / super.s_inodes_per_group;
  const std::size_t index = (number - 1) % super.s_inodes_per_group;
  if (group >= inodes.size() || index >= inodes[group].size()) return nullptr;
  return &inodes[group][index];
}

bool CheckState::is_hidden_number(InodeNumber number) const noexcept {
  return (number != EXT2_ROOT_INO && number < EXT2_FIRST_INODE(&super)) ||
         number == super.s_usr_quota_inum || number == super.s_grp_quota_inum ||
         number == super.s_prj_quota_inum || number == super.s_orphan_file_inum;
}

std::uint32_t crc32c(std::uint32_t seed, ByteView bytes) noexcept {
  return ext2fs_crc32c_le(seed, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

std::uint32_t inode_seed(const CheckState& state, InodeNumber number,
                         std::uint32_t generation) noexcept {
  if (!state.has_checksums) return 0;
  const std::uint32_t words[] = {number, generation};
  return crc32c(state.fs->csum_seed, std::as_bytes(std::span(words)));
}

}  // namespace imprint::image
