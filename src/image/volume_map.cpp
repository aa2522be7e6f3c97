// Which blocks a file has.
//
// Extents are walked as they are, so that a file of many gigabytes with little in it costs as
// little as it holds; asking the library block by block (ext2fs_bmap2) took minutes for a sparse
// file of 5 GiB. The older trees of indirect blocks are walked by the library's iterator, which
// skips holes as well.
//
// Both come from the image and may be damaged: an indirect block that leads to itself has more
// blocks than there are atoms. A file cannot have more of them than the file system, so that is
// where a walk ends.

#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {
namespace {

struct ExtentFree {
  void operator()(ext2_extent_handle* handle) const noexcept { ext2fs_extent_free(handle); }
};

using ExtentPtr = std::unique_ptr<ext2_extent_handle, ExtentFree>;

/// A file has at most 2^32 - 1 blocks, whatever its kind.
constexpr std::uint64_t kMostBlocks = 0xffff'ffff;

class RunCollector {
 public:
  RunCollector(const Volume::Impl& impl, blk64_t end, bool is_directory)
      : impl_(impl),
        end_(end),
        is_directory_(is_directory),
        left_(ext2fs_blocks_count(impl.fs->super)) {}

  /// False when this cannot belong to a sound file.
  [[nodiscard]] bool add(BlockRun run) {
    // A file may have been given room to grow, or a verity tree. In a directory the library would
    // read that, too, and nobody has looked at it.
    if (run.logical >= end_) return !is_directory_;
    if (run.blocks > end_ - run.logical && is_directory_) return false;
    run.blocks = std::min(run.blocks, end_ - run.logical);
    if (run.blocks == 0 || run.blocks > left_ || run.logical < next_ ||
        !impl_.is_block_number(run.physical) ||
        !impl_.is_block_number(run.physical + run.blocks - 1)) {
      return false;
    }
    next_ = run.logical + run.blocks;
    left_ -= run.blocks;
    BlockRun* last = runs_.empty() ? nullptr : &runs_.back();
    if (last != nullptr && last->logical + last->blocks == run.logical &&
        last->physical + last->blocks == run.physical && last->unwritten == run.unwritten) {
      last->blocks += run.blocks;
    } else {
      runs_.push_back(run);
    }
    return true;
  }

  [[nodiscard]] std::vector<BlockRun> take() { return std::move(runs_); }

 private:
  const Volume::Impl& impl_;
  blk64_t end_;
  bool is_directory_;
  blk64_t left_;  // that a sound file can have yet
  blk64_t next_ = 0;
  std::vector<BlockRun> runs_;
};

[[nodiscard]] Unexpected bad_map(const Volume::Impl& impl, InodeNumber number) {
  return damaged(impl, fmt::format("the blocks of inode {} cannot be right", number));
}

[[nodiscard]] Result<> walk_extents(Volume::Impl& impl, InodeNumber number, ext2_inode& inode,
                                    RunCollector& into) {
  ext2_extent_handle_t raw = nullptr;
  IMPRINT_TRY(impl.check(ext2fs_extent_open2(impl.fs, number, &inode, &raw)));
  const ExtentPtr tree(raw);
  const blk64_t most = ext2fs_blocks_count(impl.fs->super);
  int step = EXT2_EXTENT_ROOT;
  for (blk64_t seen = 0;; ++seen) {
    ext2fs_extent extent{};
    const errcode_t code = ext2fs_extent_get(raw, step, &extent);
    if (code == EXT2_ET_EXTENT_NO_NEXT) return {};
    IMPRINT_TRY(impl.check(code));
    step = EXT2_EXTENT_NEXT;
    if (seen > most) return bad_map(impl, number);
    if ((extent.e_flags & EXT2_EXTENT_FLAGS_LEAF) == 0) continue;
    if (!into.add({.logical = extent.e_lblk,
                   .physical = extent.e_pblk,
                   .blocks = extent.e_len,
                   .unwritten = (extent.e_flags & EXT2_EXTENT_FLAGS_UNINIT) != 0})) {
      return bad_map(impl, number);
    }
  }
}

struct IndirectWalk {
  RunCollector* into = nullptr;
  blk64_t left = 0;
  bool sound = true;
};

int add_indirect(ext2_filsys /*fs*/, blk64_t* block, e2_blkcnt_t logical, blk64_t /*reference*/,
                 int /*reference_offset*/, void* data) {
  auto& walk = *static_cast<IndirectWalk*>(data);
  walk.sound = walk.left-- > 0;
  if (walk.sound && logical >= 0) {
    walk.sound =
        walk.into->add({.logical = static_cast<blk64_t>(logical), .physical = *block, .blocks = 1});
  }
  return walk.sound ? 0 : BLOCK_ABORT;
}

struct BlockList {
  std::vector<blk64_t> blocks;
  blk64_t most = 0;
};

int add_block(ext2_filsys /*fs*/, blk64_t* block, e2_blkcnt_t /*logical*/, blk64_t /*reference*/,
              int /*reference_offset*/, void* data) {
  auto& list = *static_cast<BlockList*>(data);
  list.blocks.push_back(*block);
  return list.blocks.size() <= list.most ? 0 : BLOCK_ABORT;
}

}  // namespace

Result<std::vector<BlockRun>> Volume::Impl::map_blocks(InodeNumber number, ext2_inode& inode) {
  const blk64_t count = blocks_of_size(size_of(inode));
  if (count > kMostBlocks) {
    return damaged(*this, fmt::format("inode {} claims to be larger than a file can be", number));
  }
  if (ext2fs_inode_has_valid_blocks2(fs, &inode) == 0) return std::vector<BlockRun>();
  RunCollector runs(*this, count, type_of(inode) == NodeType::directory);
  if ((inode.i_flags & EXT4_EXTENTS_FL) != 0) {
    IMPRINT_TRY(walk_extents(*this, number, inode, runs));
  } else {
    IndirectWalk walk{.into = &runs, .left = ext2fs_blocks_count(fs->super)};
    IMPRINT_TRY(check(
        ext2fs_block_iterate3(fs, number, BLOCK_FLAG_READ_ONLY, nullptr, add_indirect, &walk)));
    if (!walk.sound) return bad_map(*this, number);
  }
  return runs.take();
}

Result<std::vector<blk64_t>> Volume::Impl::all_blocks(InodeNumber number) {
  FullInode inode = IMPRINT_TRY(read_inode(number));
  if (ext2fs_inode_has_valid_blocks2(fs, &inode.base()) == 0) return std::vector<blk64_t>();
  BlockList list{.blocks = {}, .most = ext2fs_blocks_count(fs->super)};
  IMPRINT_TRY(
      check(ext2fs_block_iterate3(fs, number, BLOCK_FLAG_READ_ONLY, nullptr, add_block, &list)));
  if (list.blocks.size() > list.most) return bad_map(*this, number);
  return std::move(list.blocks);
}

}  // namespace imprint::image
