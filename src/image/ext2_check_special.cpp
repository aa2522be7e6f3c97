// The files of the file system itself that only the superblock knows: the journal, the blocks that
// are kept for more group descriptors (resize inode), and the list of files that were deleted while
// open (orphan file).

#include <algorithm>

#include <fmt/format.h>

#include "ext2_check.hpp"

namespace imprint::image {
namespace {

constexpr std::uint32_t kJournalMagic = 0xc03b3998;
constexpr std::uint32_t kOldJournal = 3;
constexpr std::uint32_t kJournal = 4;
constexpr std::uint64_t kLeastJournalBlocks = 1024;
constexpr std::uint32_t kChecksumFeatures = 0x8 | 0x10;  // versions 2 and 3
constexpr std::size_t kJournalHeaderBytes = 1024;
constexpr std::size_t kJournalChecksumAt = 0xfc;
constexpr std::uint32_t kOrphanMagic = 0x0b10ca04;

/// The journal is in big endian.
[[nodiscard]] std::uint32_t big_endian(ByteView bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = (value << 8) | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

[[nodiscard]] Result<> check_journal_header(const CheckState& state, MutableBytes header,
                                            std::uint64_t blocks) {
  const std::uint32_t kind = big_endian(header, 4);
  if (big_endian(header, 0) != kJournalMagic || (kind != kOldJournal && kind != kJournal) ||
      big_endian(header, 12) != state.block_bytes || big_endian(header, 16) > blocks) {
    return state.corrupt("the journal has no right superblock");
  }
  if (big_endian(header, 28) != 0) {
    return state.corrupt("the journal holds changes, but the file system does not say so");
  }
  if (big_endian(header, 32) != 0) return state.corrupt("the journal has noted an error");
  if (kind == kJournal && (big_endian(header, 40) & kChecksumFeatures) != 0) {
    const std::uint32_t stored = big_endian(header, kJournalChecksumAt);
    std::fill_n(header.begin() + kJournalChecksumAt, 4, std::byte{0});
    if (crc32c(~std::uint32_t{0}, header) != stored)
      return state.corrupt("the journal's superblock does not match its checksum");
  }
  return {};
}

[[nodiscard]] Result<> check_journal(CheckState& state) {
  if (ext2fs_has_feature_journal(&state.super) == 0) return {};
  const InodeNumber number = state.super.s_journal_inum;
  const InodeSeen* const seen = state.seen(number);
  if (seen == nullptr || seen->type != EXT2_FT_REG_FILE || seen->links == 0)
    return state.corrupt(
        fmt::format("the journal is said to be in inode {}, which is no file", number));
  FullInode inode = IMPRINT_TRY(state.impl.read_inode(number));
  const std::vector<BlockRun> runs = IMPRINT_TRY(state.impl.map_blocks(number, inode.base()));
  const std::uint64_t blocks = size_of(inode.base()) / state.block_bytes;
  std::uint64_t mapped = 0;
  for (const BlockRun& run : runs)
    mapped += run.blocks;
  if (blocks < kLeastJournalBlocks || mapped < blocks)
    return state.corrupt("the journal is too short, or has a hole");
  Bytes block(state.block_bytes);
  IMPRINT_TRY(state.read(runs.front().physical, block));
  return check_journal_header(state, MutableBytes(block).first(kJournalHeaderBytes), blocks);
}

/// Each block that is kept leads to its copies in the groups with a copy of the superblock.
class ResizeCheck {
 public:
  explicit ResizeCheck(CheckState& state) : state_(state) {}

  [[nodiscard]] Result<> check();

 private:
  [[nodiscard]] Unexpected bad() const {
    return state_.corrupt("the resize inode cannot be right");
  }

  [[nodiscard]] Result<> check_copies(blk64_t block);

  CheckState& state_;
  std::uint64_t blocks_ = 0;  // that the inode has
};

Result<> ResizeCheck::check_copies(blk64_t block) {
  std::vector<std::uint32_t> numbers(state_.block_bytes / sizeof(std::uint32_t));
  IMPRINT_TRY(state_.read(block, std::as_writable_bytes(std::span(numbers))));
  std::size_t at = 0;
  for (dgrp_t group = 1; group < state_.fs->group_desc_count; ++group) {
    if (ext2fs_bg_has_super(state_.fs, group) == 0) continue;
    const blk64_t should = block + blk64_t{group} * state_.super.s_blocks_per_group;
    if (at == numbers.size() || numbers[at] != should) return bad();
    ++at;
  }
  for (const std::uint32_t number : numbers) {
    if (number == 0) continue;
    if (!state_.is_block(number)) return bad();
    ++blocks_;
  }
  return {};
}

Result<> ResizeCheck::check() {
  FullInode inode = IMPRINT_TRY(state_.impl.read_inode(EXT2_RESIZE_INO));
  ext2_inode& base = inode.base();
  const bool has_feature = ext2fs_has_feature_resize_inode(&state_.super) != 0;
  for (unsigned i = 0; i < EXT2_N_BLOCKS; ++i) {
    if (base.i_block[i] != 0 && !(has_feature && i == EXT2_DIND_BLOCK)) return bad();
  }
  if (!has_feature) return {};
  const blk64_t root = base.i_block[EXT2_DIND_BLOCK];
  if (ext2fs_has_feature_meta_bg(&state_.super) != 0 || !state_.is_block(root) ||
      base.i_links_count == 0 || !LINUX_S_ISREG(base.i_mode))
    return bad();
  IMPRINT_TRY(state_.claim(root, 1, EXT2_RESIZE_INO));
  std::vector<std::uint32_t> numbers(state_.block_bytes / sizeof(std::uint32_t));
  IMPRINT_TRY(state_.read(root, std::as_writable_bytes(std::span(numbers))));
  blk64_t next = state_.first_block + 1 + state_.fs->desc_blocks;
  if (state_.block_bytes == 1024 && state_.first_block == 0) ++next;
  blocks_ = 1;
  std::size_t slot = state_.fs->desc_blocks;
  for (unsigned i = 0; i < state_.super.s_reserved_gdt_blocks; ++i, ++slot, ++next) {
    slot %= numbers.size();
    // e2fsck looks at the first quarter only; of the others it counts what is there.
    if (numbers[slot] != next) {
      if (i < state_.super.s_reserved_gdt_blocks / 4U || numbers[slot] != 0) return bad();
      continue;
    }
    ++blocks_;
    IMPRINT_TRY(check_copies(next));
  }
  const std::uint64_t should = (blocks_ << static_cast<unsigned>(state_.fs->cluster_ratio_bits)) *
                               (state_.block_bytes / 512);
  if (ext2fs_inode_i_blocks(state_.fs, &base) == should) return {};
  return state_.corrupt(
      fmt::format("the resize inode says that it has {} blocks (of 512 bytes); it has {}",
                  ext2fs_inode_i_blocks(state_.fs, &base), should));
}

[[nodiscard]] Result<> check_orphan_block(const CheckState& state, std::uint32_t generation,
                                          blk64_t number, Bytes& block) {
  IMPRINT_TRY(state.read(number, block));
  ext4_orphan_block_tail tail{};
  const ByteView list = ByteView(block).first(block.size() - sizeof(tail));
  std::memcpy(&tail, block.data() + list.size(), sizeof(tail));
  if (tail.ob_magic != kOrphanMagic ||
      std::any_of(list.begin(), list.end(), [](std::byte byte) { return byte != std::byte{0}; })) {
    return state.corrupt("the orphan file is not empty");
  }
  const std::uint32_t checksum =
      ext2fs_do_orphan_file_block_csum(state.fs, state.super.s_orphan_file_inum, generation, number,
                                       reinterpret_cast<char*>(block.data()));
  if (state.has_checksums && checksum != tail.ob_checksum)
    return state.corrupt("a block of the orphan file does not match its checksum");
  return {};
}

[[nodiscard]] Result<> check_orphan_file(CheckState& state) {
  if (ext2fs_has_feature_orphan_file(&state.super) == 0) return {};
  const InodeNumber number = state.super.s_orphan_file_inum;
  const InodeSeen* const seen = state.seen(number);
  if (seen == nullptr || seen->type != EXT2_FT_REG_FILE)
    return state.corrupt(
        fmt::format("the orphan file is said to be in inode {}, which is none", number));
  if (ext2fs_has_feature_journal(&state.super) == 0)
    return state.corrupt("there is an orphan file, but no journal");
  FullInode inode = IMPRINT_TRY(state.impl.read_inode(number));
  const std::vector<BlockRun> runs = IMPRINT_TRY(state.impl.map_blocks(number, inode.base()));
  Bytes block(state.block_bytes);
  std::uint64_t mapped = 0;
  for (const BlockRun& run : runs) {
    for (blk64_t i = 0; i < run.blocks; ++i)
      IMPRINT_TRY(check_orphan_block(state, inode.base().i_generation, run.physical + i, block));
    mapped += run.blocks;
  }
  if (mapped * state.block_bytes != size_of(inode.base()))
    return state.corrupt("the orphan file has a hole");
  return {};
}

}  // namespace

Result<> check_special_files(CheckState& state) {
  IMPRINT_TRY(ResizeCheck(state).check());
  IMPRINT_TRY(check_journal(state));
  return check_orphan_file(state);
}

}  // namespace imprint::image
