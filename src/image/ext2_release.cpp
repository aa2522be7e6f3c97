// Giving up files: their blocks are zeroed at once and freed at commit.
//
// A block that is given up stays allocated until then, so that no later write of the same edit
// gets it: what is new must lie where the old image had nothing, because an edit in place writes
// there first and directly, and only the rest through its journal (redo.hpp). The library frees
// some blocks by itself (of extended attributes); its callback catches them.

#include "ext2_release.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "ext2_attributes.hpp"
#include "ext2_times.hpp"

namespace imprint::image {
namespace {

[[nodiscard]] Result<> zero_block(Volume::Impl& impl, blk64_t block) {
  return impl.check(io_channel_zeroout(impl.fs->io, block, 1));
}

/// Called by the library after it has freed a block (with bigalloc: a cluster).
void hold_back(ext2_filsys fs, blk64_t block, int in_use) {
  auto& impl = *static_cast<Volume::Impl*>(fs->priv_data);
  if (in_use > 0 || !impl.holds_back) return;
  ext2fs_block_alloc_stats2(fs, block, +1);
  const blk64_t first = block - block % static_cast<blk64_t>(EXT2FS_CLUSTER_RATIO(fs));
  const blk64_t end = std::min(first + static_cast<blk64_t>(EXT2FS_CLUSTER_RATIO(fs)),
                               ext2fs_blocks_count(fs->super));
  for (blk64_t each = first; each < end; ++each) {
    Result<> zeroed = zero_block(impl, each);
    if (!zeroed && !impl.holding_failed) impl.holding_failed = std::move(zeroed).error();
  }
  impl.released.push_back(block);
}

/// The blocks of a file; with bigalloc several of them share a cluster, which is one thing to free.
[[nodiscard]] Result<> release_blocks(Volume::Impl& impl, InodeNumber owner,
                                      std::vector<blk64_t> blocks) {
  const auto ratio = static_cast<blk64_t>(EXT2FS_CLUSTER_RATIO(impl.fs));
  for (blk64_t& block : blocks) {
    // The library would report a wrong number on stderr and go on.
    if (!impl.is_block_number(block) || ext2fs_test_block_bitmap2(impl.fs->block_map, block) == 0) {
      return damaged(impl,
                     fmt::format("inode {} claims block {}, which is not in use", owner, block));
    }
    IMPRINT_TRY(zero_block(impl, block));
    block -= block % ratio;
  }
  if (ratio > 1) {
    std::ranges::sort(blocks);
    blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  }
  impl.released.insert(impl.released.end(), blocks.begin(), blocks.end());
  return {};
}

[[nodiscard]] Result<> release_inode(Volume::Impl& impl, InodeNumber number, bool is_directory) {
  const ext2_filsys fs = impl.fs;
  if (ext2fs_test_inode_bitmap2(fs->inode_map, number) == 0) {
    return damaged(impl, fmt::format("inode {} is in a directory but not in use", number));
  }
  std::vector<blk64_t> blocks = IMPRINT_TRY(impl.all_blocks(number));
  IMPRINT_TRY(release_blocks(impl, number, std::move(blocks)));
  IMPRINT_TRY(release_attributes(impl, number));

  // All of it, extended attributes included: e2fsck wants a time of deletion and nothing else.
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  FullInode cleared(fs);
  cleared.base().i_generation = inode.base().i_generation;
  cleared.base().i_dtime = static_cast<std::uint32_t>(impl.now);
  IMPRINT_TRY(impl.write_inode(number, cleared));
  ext2fs_inode_alloc_stats2(fs, number, -1, is_directory ? 1 : 0);
  return {};
}

}  // namespace

void hold_back_freed(Volume::Impl& impl) {
  impl.fs->priv_data = &impl;
  impl.holds_back = true;
  ext2fs_set_block_alloc_stats_callback(impl.fs, hold_back, nullptr);
}

Result<> free_released(Volume::Impl& impl) {
  if (impl.holding_failed) return fail(*std::exchange(impl.holding_failed, std::nullopt));
  impl.holds_back = false;
  for (const blk64_t block : impl.released) {
    if (ext2fs_test_block_bitmap2(impl.fs->block_map, block) == 0) {
      return damaged(impl, fmt::format("two files claim block {}", block));
    }
    ext2fs_block_alloc_stats2(impl.fs, block, -1);
  }
  impl.released.clear();
  return {};
}

Result<> drop_link(Volume::Impl& impl, InodeNumber number) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  // Another inode's attribute has its value there, and counts no link for it.
  if ((inode.base().i_flags & EXT4_EA_INODE_FL) != 0) {
    return damaged(impl,
                   fmt::format("inode {} is in a directory but holds the value of an extended "
                               "attribute",
                               number));
  }
  if (inode.base().i_links_count <= 1) return release_inode(impl, number, false);
  --inode.base().i_links_count;
  set_times(inode, impl.now, {.changed = true});
  return impl.write_inode(number, inode);
}

Result<> drop_directory(Volume::Impl& impl, InodeNumber number) {
  return release_inode(impl, number, true);
}

}  // namespace imprint::image
