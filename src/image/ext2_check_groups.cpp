// Superblock, group descriptors, and the two bitmaps of every group.
//
// What the library has refused to open, or ext2_admission.cpp has refused, is not looked at again.

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "ext2_check.hpp"

namespace imprint::image {
namespace {

[[nodiscard]] Result<> check_extra_size(const CheckState& state, const char* name,
                                        std::uint32_t size) {
  const auto most =
      static_cast<std::uint32_t>(EXT2_INODE_SIZE(&state.super)) - EXT2_GOOD_OLD_INODE_SIZE;
  if (most == 0 || size == 0 || (size >= 4 && size <= most && size % 4 == 0)) return {};
  return state.corrupt(fmt::format("{} of the superblock is {}, which cannot be", name, size));
}

[[nodiscard]] Result<> check_superblock(const CheckState& state) {
  ext2_super_block& super = state.super;
  const auto wrong = [&](const char* name, std::uint64_t value) {
    return state.corrupt(fmt::format("{} of the superblock is {}, which cannot be", name, value));
  };
  if (super.s_clusters_per_group < 8 || super.s_clusters_per_group % 8 != 0 ||
      super.s_clusters_per_group > 8 * state.block_bytes) {
    return wrong("s_clusters_per_group", super.s_clusters_per_group);
  }
  if (super.s_inodes_per_group % 8 != 0 || super.s_inodes_per_group > 8 * state.block_bytes ||
      super.s_inodes_per_group <
          state.block_bytes / static_cast<unsigned>(EXT2_INODE_SIZE(&super))) {
    return wrong("s_inodes_per_group", super.s_inodes_per_group);
  }
  const unsigned first = super.s_log_block_size == 0 && EXT2FS_CLUSTER_RATIO(state.fs) == 1 ? 1 : 0;
  if (super.s_first_data_block != first) {
    return wrong("s_first_data_block", super.s_first_data_block);
  }
  if (ext2fs_r_blocks_count(&super) > state.end_block / 2) {
    return wrong("s_r_blocks_count", ext2fs_r_blocks_count(&super));
  }
  if (super.s_rev_level > EXT2_GOOD_OLD_REV &&
      (super.s_first_ino < EXT2_GOOD_OLD_FIRST_INO || super.s_first_ino > super.s_inodes_count)) {
    return wrong("s_first_ino", super.s_first_ino);
  }
  if (super.s_reserved_gdt_blocks > state.block_bytes / sizeof(std::uint32_t) ||
      (super.s_reserved_gdt_blocks != 0 && ext2fs_has_feature_resize_inode(&super) == 0)) {
    return wrong("s_reserved_gdt_blocks", super.s_reserved_gdt_blocks);
  }
  // Its free counts are not looked at: after a recovery they are off, e2fsck only offers to set
  // them, and a kernel counts anew.
  IMPRINT_TRY(check_extra_size(state, "s_min_extra_isize", super.s_min_extra_isize));
  return check_extra_size(state, "s_want_extra_isize", super.s_want_extra_isize);
}

[[nodiscard]] Result<> check_descriptor(const CheckState& state, dgrp_t group) {
  const ext2_filsys fs = state.fs;
  const auto wrong = [&](const char* what) {
    return state.corrupt(fmt::format("the descriptor of block group {} {}", group, what));
  };
  const std::uint32_t unused = ext2fs_bg_itable_unused(fs, group);
  const bool block_uninit = ext2fs_bg_flags_test(fs, group, EXT2_BG_BLOCK_UNINIT) != 0;
  if (ext2fs_has_group_desc_csum(fs) == 0) {
    if (block_uninit || unused != 0 || ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT) != 0)
      return wrong("calls something uninitialised in a file system without such");
    return {};
  }
  if (unused > ext2fs_bg_free_inodes_count(fs, group) || unused > state.super.s_inodes_per_group) {
    return wrong("counts more inodes that were never used than free ones");
  }
  if (block_uninit && group + 1 == fs->group_desc_count)
    return wrong("calls the block bitmap of the last group uninitialised");
  return {};
}

/// The blocks of superblock copies and descriptors. In file systems of clusters several of these
/// share one, so that nothing can be said against a second claim.
void mark_super_and_descriptors(const CheckState& state, dgrp_t group, ClusterSet& set) {
  const ext2_filsys fs = state.fs;
  blk64_t super = 0;
  blk64_t old_descriptors = 0;
  blk64_t new_descriptors = 0;
  ext2fs_super_and_bgd_loc2(fs, group, &super, &old_descriptors, &new_descriptors, nullptr);
  const auto mark = [&](blk64_t block, blk64_t count) {
    if (block < state.first_block || block >= state.end_block || count == 0) return;
    count = std::min(count, state.end_block - block);
    const std::uint64_t first = state.cluster_of(block);
    set.add(first, state.cluster_of(block + count - 1) - first + 1);
  };
  if (super != 0 || group == 0) mark(super, 1);
  if (group == 0 && state.first_block == 0) mark(0, 1);
  if (old_descriptors != 0) {
    mark(old_descriptors, ext2fs_has_feature_meta_bg(&state.super) != 0
                              ? state.super.s_first_meta_bg
                              : fs->desc_blocks + blk64_t{state.super.s_reserved_gdt_blocks});
  }
  if (new_descriptors != 0) mark(new_descriptors, 1);
}

/// ext2fs_check_desc has seen that they exist and are apart.
void mark_tables(const CheckState& state, dgrp_t group, ClusterSet& set) {
  const ext2_filsys fs = state.fs;
  const auto mark = [&](blk64_t block, blk64_t count) {
    const std::uint64_t first = state.cluster_of(block);
    set.add(first, state.cluster_of(block + count - 1) - first + 1);
  };
  mark(ext2fs_block_bitmap_loc(fs, group), 1);
  mark(ext2fs_inode_bitmap_loc(fs, group), 1);
  mark(ext2fs_inode_table_loc(fs, group), fs->inode_blocks_per_group);
}

[[nodiscard]] std::uint64_t count_bits(ByteView bytes) noexcept {
  std::uint64_t count = 0;
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    count += static_cast<unsigned>(std::popcount(word));
    bytes = bytes.subspan(sizeof(word));
  }
  for (const std::byte byte : bytes)
    count += static_cast<unsigned>(std::popcount(std::to_integer<unsigned>(byte)));
  return count;
}

[[nodiscard]] bool bit_of(ByteView bytes, std::uint64_t bit) noexcept {
  return ((std::to_integer<unsigned>(bytes[static_cast<std::size_t>(bit / 8)]) >> (bit % 8)) &
          1U) != 0;
}

/// The first of `count` bits in which they differ, or `count`.
[[nodiscard]] std::uint64_t first_difference(ByteView a, ByteView b, std::uint64_t count) noexcept {
  const auto bytes = static_cast<std::size_t>(count / 8);
  const auto [in_a, in_b] =
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(bytes), b.begin());
  for (auto bit = static_cast<std::uint64_t>(in_a - a.begin()) * 8; bit < count; ++bit) {
    if (bit_of(a, bit) != bit_of(b, bit)) return bit;
  }
  return count;
}

/// What lies behind the bits of a bitmap, to the end of its block, is ones.
[[nodiscard]] bool is_padded(ByteView bitmap, std::uint64_t count) noexcept {
  std::uint64_t bit = count;
  for (; bit % 8 != 0; ++bit) {
    if (!bit_of(bitmap, bit)) return false;
  }
  const ByteView rest = bitmap.subspan(static_cast<std::size_t>(bit / 8));
  return std::all_of(rest.begin(), rest.end(),
                     [](std::byte byte) { return byte == std::byte{0xff}; });
}

/// Reads and compares the bitmaps of one group after the other.
class BitmapCheck {
 public:
  explicit BitmapCheck(CheckState& state)
      : state_(state),
        fs_(state.fs),
        has_uninit_(ext2fs_has_group_desc_csum(state.fs) != 0),
        uninit_blocks_(state.cluster_of(state.end_block - 1) + 1) {
    for (dgrp_t group = 0; group < fs_->group_desc_count; ++group) {
      if (!is_uninit(group, EXT2_BG_BLOCK_UNINIT)) continue;
      mark_super_and_descriptors(state_, group, uninit_blocks_);
      mark_tables(state_, group, uninit_blocks_);
    }
  }

  [[nodiscard]] Result<> check(dgrp_t group) {
    IMPRINT_TRY(check_blocks(group));
    return check_inodes(group);
  }

 private:
  [[nodiscard]] bool is_uninit(dgrp_t group, int flag) const noexcept {
    return has_uninit_ && ext2fs_bg_flags_test(fs_, group, static_cast<__u16>(flag)) != 0;
  }

  [[nodiscard]] Unexpected wrong(dgrp_t group, const char* what) const {
    return state_.corrupt(fmt::format("the {} of block group {}", what, group));
  }

  [[nodiscard]] Result<> check_blocks(dgrp_t group);
  [[nodiscard]] Result<> check_inodes(dgrp_t group);
  [[nodiscard]] Result<> compare_blocks(dgrp_t group, ByteView bitmap, std::uint64_t count);
  [[nodiscard]] Result<> compare_inodes(dgrp_t group, ByteView bitmap);

  CheckState& state_;
  ext2_filsys fs_;
  bool has_uninit_;
  ClusterSet uninit_blocks_;  // what is in use of groups whose bitmaps were never written
};

Result<> BitmapCheck::check_blocks(dgrp_t group) {
  const std::uint64_t per_group = state_.super.s_clusters_per_group;
  const std::uint64_t all = state_.cluster_of(state_.end_block - 1) + 1;
  const std::uint64_t count = std::min(per_group, all - group * per_group);
  const auto at = static_cast<std::size_t>(group * per_group / 8);
  const auto bytes = static_cast<std::size_t>((count + 7) / 8);
  if (is_uninit(group, EXT2_BG_BLOCK_UNINIT)) {
    return compare_blocks(group, uninit_blocks_.bytes().subspan(at, bytes), count);
  }
  state_.buffer.resize(state_.block_bytes);
  IMPRINT_TRY(state_.read(ext2fs_block_bitmap_loc(fs_, group), state_.buffer));
  if (ext2fs_block_bitmap_csum_verify(fs_, group, reinterpret_cast<char*>(state_.buffer.data()),
                                      static_cast<int>(per_group / 8)) == 0) {
    return state_.corrupt(
        fmt::format("the block bitmap of block group {} does not match its checksum", group));
  }
  if (!is_padded(state_.buffer, count)) {
    return state_.corrupt(
        fmt::format("the block bitmap of block group {} has zeros behind its end", group));
  }
  return compare_blocks(group, state_.buffer, count);
}

Result<> BitmapCheck::compare_blocks(dgrp_t group, ByteView bitmap, std::uint64_t count) {
  const std::uint64_t first = std::uint64_t{group} * state_.super.s_clusters_per_group;
  const ByteView used = state_.used.bytes().subspan(static_cast<std::size_t>(first / 8),
                                                    static_cast<std::size_t>((count + 7) / 8));
  const std::uint64_t differs = first_difference(bitmap, used, count);
  if (differs != count) {
    const blk64_t block =
        state_.first_block + ((first + differs) << static_cast<unsigned>(fs_->cluster_ratio_bits));
    return state_.corrupt(
        bit_of(bitmap, differs)
            ? fmt::format("block {} is marked as in use, but nothing uses it", block)
            : fmt::format("block {} is in use, but marked as free", block));
  }
  std::uint64_t free = count;
  free -= count_bits(used.first(static_cast<std::size_t>(count / 8)));
  for (std::uint64_t bit = count / 8 * 8; bit < count; ++bit)
    free -= bit_of(used, bit) ? 1 : 0;
  if (free != ext2fs_bg_free_blocks_count(fs_, group)) {
    return state_.corrupt(fmt::format("block group {} says that it has {} free blocks; it has {}",
                                      group, ext2fs_bg_free_blocks_count(fs_, group), free));
  }
  return {};
}

Result<> BitmapCheck::check_inodes(dgrp_t group) {
  const std::uint32_t count = state_.super.s_inodes_per_group;
  state_.buffer.assign(state_.block_bytes, std::byte{0});
  if (is_uninit(group, EXT2_BG_INODE_UNINIT)) return compare_inodes(group, state_.buffer);
  IMPRINT_TRY(state_.read(ext2fs_inode_bitmap_loc(fs_, group), state_.buffer));
  if (ext2fs_inode_bitmap_csum_verify(fs_, group, reinterpret_cast<char*>(state_.buffer.data()),
                                      static_cast<int>(count / 8)) == 0) {
    return state_.corrupt(
        fmt::format("the inode bitmap of block group {} does not match its checksum", group));
  }
  if (!is_padded(state_.buffer, count)) {
    return state_.corrupt(
        fmt::format("the inode bitmap of block group {} has zeros behind its end", group));
  }
  return compare_inodes(group, state_.buffer);
}

Result<> BitmapCheck::compare_inodes(dgrp_t group, ByteView bitmap) {
  const std::uint32_t count = state_.super.s_inodes_per_group;
  const std::vector<InodeSeen>& inodes = state_.inodes[group];
  std::uint32_t used = 0;
  std::uint32_t directories = 0;
  const InodeNumber first = group * count + 1;
  for (std::uint32_t i = 0; i < inodes.size(); ++i) {
    if (inodes[i].in_use != bit_of(bitmap, i)) {
      const InodeNumber number = first + i;
      return state_.corrupt(
          inodes[i].in_use
              ? fmt::format("inode {} is in use, but marked as free", number)
              : fmt::format("inode {} is marked as in use, but nothing uses it", number));
    }
    used += inodes[i].in_use ? 1 : 0;
    directories += inodes[i].type == EXT2_FT_DIR ? 1 : 0;
  }
  for (auto i = static_cast<std::uint32_t>(inodes.size()); i < count; ++i) {
    if (bit_of(bitmap, i)) {
      return state_.corrupt(
          fmt::format("inode {} is marked as in use, but nothing uses it", first + i));
    }
  }
  if (count - used != ext2fs_bg_free_inodes_count(fs_, group)) {
    return state_.corrupt(fmt::format("block group {} says that it has {} free inodes; it has {}",
                                      group, ext2fs_bg_free_inodes_count(fs_, group),
                                      count - used));
  }
  if (directories != ext2fs_bg_used_dirs_count(fs_, group)) {
    return state_.corrupt(fmt::format("block group {} says that it has {} directories; it has {}",
                                      group, ext2fs_bg_used_dirs_count(fs_, group), directories));
  }
  return {};
}

}  // namespace

Result<> check_groups(CheckState& state) {
  IMPRINT_TRY(check_superblock(state));
  for (dgrp_t group = 0; group < state.fs->group_desc_count; ++group) {
    IMPRINT_TRY(check_descriptor(state, group));
    mark_super_and_descriptors(state, group, state.used);
    mark_tables(state, group, state.used);
  }
  if (ext2fs_has_feature_mmp(&state.super) != 0 && state.is_block(state.super.s_mmp_block))
    state.used.add(state.cluster_of(state.super.s_mmp_block), 1);
  return {};
}

Result<> check_bitmaps(CheckState& state) {
  BitmapCheck bitmaps(state);
  for (dgrp_t group = 0; group < state.fs->group_desc_count; ++group)
    IMPRINT_TRY(bitmaps.check(group));
  return {};
}

}  // namespace imprint::image
