// Which blocks an inode has, by extents or by the older blocks of block numbers.
//
// Every block is claimed before anything in it is read, so a map that leads to itself, or into
// metadata, ends at its first wrong step. Where several files may share blocks (shared_blocks) that
// does not hold; there a budget ends it (CheckState::claims_left).

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "ext2_check.hpp"

namespace imprint::image {
namespace {

constexpr unsigned kMostDepth = 5;  // the kernel's EXT4_MAX_EXTENT_DEPTH
constexpr std::size_t kEntryBytes = sizeof(ext3_extent);
static_assert(sizeof(ext3_extent_idx) == kEntryBytes && sizeof(ext3_extent_header) == kEntryBytes);
/// An extent that is longer is one of this length less, and not written yet.
constexpr std::uint32_t kMostWritten = EXT_INIT_MAX_LEN;

class MapCheck {
 public:
  MapCheck(CheckState& state, const CheckedInode& inode, BlockCount& count)
      : state_(state),
        inode_(inode),
        count_(count),
        is_directory_(LINUX_S_ISDIR(inode.raw->i_mode)),
        end_of_file_((size_of(inode.base()) + state.block_bytes - 1) / state.block_bytes) {}

  [[nodiscard]] Result<> check_extents() {
    const ByteView root(reinterpret_cast<const std::byte*>(inode_.raw->i_block),
                        sizeof(inode_.raw->i_block));
    ext3_extent_header header{};
    std::memcpy(&header, root.data(), sizeof(header));
    if (header.eh_depth > kMostDepth) return bad("its extent tree is too deep");
    return check_node({.bytes = root, .depth = header.eh_depth, .end_block = end_of_file_});
  }

  [[nodiscard]] Result<> check_indirect();

 private:
  /// A node of the extent tree and what its parent says about it.
  struct Node {
    ByteView bytes;
    unsigned depth = 0;
    blk64_t first = 0;
    blk64_t last = 0;  ///< 0 when nothing is said
    blk64_t end_block = 0;
  };

  struct Leaf {
    blk64_t logical = 0;
    blk64_t physical = 0;
    std::uint32_t blocks = 0;
    bool unwritten = false;
  };

  [[nodiscard]] Unexpected bad(std::string_view what) const {
    return state_.corrupt(
        fmt::format("the blocks of inode {} cannot be right: {}", inode_.number, what));
  }

  [[nodiscard]] Result<> check_node(const Node& node);
  [[nodiscard]] Result<> check_index(const Node& node, const ext3_extent_idx& entry, blk64_t end);
  [[nodiscard]] Result<> check_leaf(const Node& node, const Leaf& leaf, blk64_t first);
  [[nodiscard]] Result<> check_directory_extent(const Leaf& leaf) const;
  [[nodiscard]] Result<> claim_extent(const Leaf& leaf);
  [[nodiscard]] bool is_misaligned(blk64_t physical, blk64_t logical) const noexcept;
  void remember(blk64_t logical, blk64_t physical, blk64_t blocks);

  [[nodiscard]] Result<> check_pointers(unsigned level, std::uint32_t block);
  [[nodiscard]] Result<> check_pointer(std::uint32_t block, std::int64_t logical);

  CheckState& state_;
  const CheckedInode& inode_;
  BlockCount& count_;
  bool is_directory_;
  blk64_t end_of_file_;
  blk64_t next_logical_ = 0;   // behind all extents so far
  std::int64_t position_ = 0;  // of the pointer that is looked at, in blocks of the file
};

bool MapCheck::is_misaligned(blk64_t physical, blk64_t logical) const noexcept {
  const auto bits = static_cast<unsigned>(state_.fs->cluster_ratio_bits);
  if (bits == 0) return false;
  const blk64_t mask = (blk64_t{1} << bits) - 1;
  if ((logical & mask) != (physical & mask)) return true;
  return count_.previous != 0 && (logical & mask) != 0 &&
         logical >> bits == static_cast<blk64_t>(count_.last_block) >> bits &&
         physical >> bits != count_.previous >> bits;
}

void MapCheck::remember(blk64_t logical, blk64_t physical, blk64_t blocks) {
  if (!is_directory_) return;
  BlockRun* const last =
      state_.runs.size() > state_.directories.back().first_run ? &state_.runs.back() : nullptr;
  if (last != nullptr && last->logical + last->blocks == logical &&
      last->physical + last->blocks == physical) {
    last->blocks += blocks;
  } else {
    state_.runs.push_back({.logical = logical, .physical = physical, .blocks = blocks});
  }
}

Result<> MapCheck::check_node(const Node& node) {
  ext3_extent_header header{};
  std::memcpy(&header, node.bytes.data(), sizeof(header));
  const std::size_t room = node.bytes.size() / kEntryBytes - 1;
  if (header.eh_magic != EXT3_EXT_MAGIC || header.eh_entries > header.eh_max ||
      header.eh_max > room || header.eh_max + 2U < room) {
    return bad("a node of its extent tree has no right header");
  }
  if (header.eh_depth != node.depth) return bad("its extent tree has branches of several depths");
  blk64_t first = node.first;
  for (std::size_t i = 0; i < header.eh_entries; ++i) {
    const std::byte* const at = node.bytes.data() + (i + 1) * kEntryBytes;
    if (node.depth > 0) {
      ext3_extent_idx entry{};
      std::memcpy(&entry, at, sizeof(entry));
      blk64_t end = node.end_block;
      if (i + 1 < header.eh_entries) {
        ext3_extent_idx next{};
        std::memcpy(&next, at + kEntryBytes, sizeof(next));
        end = next.ei_block;
      }
      if (entry.ei_block < first) return bad("its extents are out of order");
      IMPRINT_TRY(check_index(node, entry, end));
      continue;
    }
    ext3_extent entry{};
    std::memcpy(&entry, at, sizeof(entry));
    const bool unwritten = entry.ee_len > kMostWritten;
    const Leaf leaf{.logical = entry.ee_block,
                    .physical = entry.ee_start | (static_cast<blk64_t>(entry.ee_start_hi) << 32),
                    .blocks = unwritten ? entry.ee_len - kMostWritten : entry.ee_len,
                    .unwritten = unwritten};
    IMPRINT_TRY(check_leaf(node, leaf, first));
    first = leaf.logical + leaf.blocks - 1;
  }
  return {};
}

Result<> MapCheck::check_index(const Node& node, const ext3_extent_idx& entry, blk64_t end) {
  const blk64_t block = entry.ei_leaf | (static_cast<blk64_t>(entry.ei_leaf_hi) << 32);
  // In 32 bits, as the library counts: behind the end of the file the last of them wraps.
  const auto blocks = static_cast<std::uint32_t>(end - entry.ei_block);
  const blk64_t last = entry.ei_block + blk64_t{blocks} - 1;
  if (node.last != 0 && last > node.last) return bad("its extents are out of order");
  IMPRINT_TRY(state_.claim(block, 1, inode_.number));
  ++count_.clusters;
  Bytes& buffer = state_.node_buffers[node.depth - 1];
  buffer.resize(state_.block_bytes);
  IMPRINT_TRY(state_.read(block, buffer));
  ext3_extent_header header{};
  std::memcpy(&header, buffer.data(), sizeof(header));
  const std::size_t tail = (std::size_t{header.eh_max} + 1) * kEntryBytes;
  if (tail + sizeof(std::uint32_t) > buffer.size() || header.eh_magic != EXT3_EXT_MAGIC) {
    return bad("a node of its extent tree has no right header");
  }
  std::uint32_t checksum = 0;
  std::memcpy(&checksum, buffer.data() + tail, sizeof(checksum));
  if (state_.has_checksums && checksum != crc32c(inode_.seed, ByteView(buffer).first(tail))) {
    return state_.corrupt(fmt::format(
        "block {} of inode {}'s extent tree does not match its checksum", block, inode_.number));
  }
  if (header.eh_entries > 0) {
    std::uint32_t first = 0;  // of an extent and of an index it is the first field
    std::memcpy(&first, buffer.data() + kEntryBytes, sizeof(first));
    if (first != entry.ei_block) return bad("its extents are not where their index says");
  }
  return check_node({.bytes = buffer,
                     .depth = node.depth - 1,
                     .first = entry.ei_block,
                     .last = last,
                     .end_block = end});
}

Result<> MapCheck::check_leaf(const Node& node, const Leaf& leaf, blk64_t first) {
  const blk64_t last = leaf.logical + leaf.blocks - 1;
  const bool beyond_end = end_of_file_ == 0 || last > end_of_file_ - 1;
  if (leaf.blocks == 0) return bad("an extent is empty");
  if (leaf.logical < first || leaf.logical < next_logical_)
    return bad("its extents are out of order");
  if (node.last != 0 && last > node.last &&
      !(beyond_end && (leaf.unwritten || inode_.has(EXT4_VERITY_FL)))) {
    return bad("an extent ends behind what its index says");
  }
  if (is_directory_) IMPRINT_TRY(check_directory_extent(leaf));
  next_logical_ = last + 1;
  if (is_misaligned(leaf.physical, leaf.logical))
    return bad("an extent begins elsewhere in its cluster than in the file");
  IMPRINT_TRY(claim_extent(leaf));
  remember(leaf.logical, leaf.physical, leaf.blocks);
  count_.last_block = static_cast<std::int64_t>(last);
  if (!leaf.unwritten) count_.last_written_block = count_.last_block;
  count_.previous = leaf.physical + leaf.blocks - 1;
  return {};
}

Result<> MapCheck::check_directory_extent(const Leaf& leaf) const {
  if (leaf.unwritten) return bad("blocks of the directory were never written");
  if (leaf.logical != static_cast<blk64_t>(count_.last_block + 1))
    return bad("the directory has a hole");
  if (ext2fs_has_feature_largedir(&state_.super) == 0 && inode_.raw->i_size_high == 0 &&
      leaf.logical + leaf.blocks > blk64_t{1} << (21U - state_.super.s_log_block_size)) {
    return bad("the directory is too large");
  }
  return {};
}

Result<> MapCheck::claim_extent(const Leaf& leaf) {
  const auto bits = static_cast<unsigned>(state_.fs->cluster_ratio_bits);
  blk64_t begin = leaf.physical;
  blk64_t blocks = leaf.blocks;
  // The rest of a cluster that an extent before it began is the inode's already.
  if (bits != 0 && count_.previous != 0 && begin >> bits == count_.previous >> bits) {
    const blk64_t next = ((begin >> bits) + 1) << bits;
    if (next >= begin + blocks) return {};
    blocks -= next - begin;
    begin = next;
  }
  IMPRINT_TRY(state_.claim(begin, blocks, inode_.number));
  count_.clusters += state_.cluster_of(begin + blocks - 1) - state_.cluster_of(begin) + 1;
  return {};
}

Result<> MapCheck::check_indirect() {
  for (unsigned i = 0; i < EXT2_NDIR_BLOCKS; ++i) {
    IMPRINT_TRY(check_pointer(inode_.raw->i_block[i], position_));
    ++position_;
  }
  for (unsigned level = 1; level <= 3; ++level)
    IMPRINT_TRY(check_pointers(level, inode_.raw->i_block[EXT2_NDIR_BLOCKS + level - 1]));
  return {};
}

/// A block of `level` levels of block numbers.
Result<> MapCheck::check_pointers(unsigned level, std::uint32_t block) {
  const std::size_t per_block = state_.block_bytes / sizeof(std::uint32_t);
  std::int64_t span = 1;
  for (unsigned i = 0; i < level; ++i)
    span *= static_cast<std::int64_t>(per_block);
  if (block == 0) {
    position_ += span;
    return {};
  }
  IMPRINT_TRY(check_pointer(block, -1));
  Bytes& buffer = state_.node_buffers[level];
  buffer.resize(state_.block_bytes);
  IMPRINT_TRY(state_.read(block, buffer));
  for (std::size_t i = 0; i < per_block; ++i) {
    std::uint32_t next = 0;
    std::memcpy(&next, buffer.data() + i * sizeof(next), sizeof(next));
    if (level > 1) {
      IMPRINT_TRY(check_pointers(level - 1, next));
      continue;
    }
    if (next != 0) IMPRINT_TRY(check_pointer(next, position_));
    ++position_;
  }
  return {};
}

/// A block number; `logical` is -1 for those of blocks of block numbers.
Result<> MapCheck::check_pointer(std::uint32_t block, std::int64_t logical) {
  if (block == 0) return {};
  const auto log = state_.super.s_log_block_size;
  const bool is_file = LINUX_S_ISREG(inode_.raw->i_mode);
  if (count_.clusters + 1 >= std::uint64_t{1} << (31U - log)) return bad("it has too many");
  if (is_directory_ && ext2fs_has_feature_largedir(&state_.super) == 0 &&
      inode_.raw->i_size_high == 0 && logical > std::int64_t{1} << (21U - log)) {
    return bad("the directory is too large");
  }
  if (!is_directory_ && !is_file && inode_.number >= EXT2_FIRST_INODE(&state_.super) && logical > 0)
    return bad("a symbolic link has one at most");
  const auto bits = static_cast<unsigned>(state_.fs->cluster_ratio_bits);
  const blk64_t mask = (blk64_t{1} << bits) - 1;
  const bool in_same_cluster = bits != 0 && count_.previous != 0 &&
                               block >> bits == count_.previous >> bits &&
                               (block & mask) == (static_cast<blk64_t>(logical) & mask);
  if (!in_same_cluster) {
    IMPRINT_TRY(state_.claim(block, 1, inode_.number));
    ++count_.clusters;
  } else if (is_misaligned(block, static_cast<blk64_t>(logical))) {
    return bad("a block lies elsewhere in its cluster than in the file");
  }
  if (logical >= 0) {
    count_.last_block = count_.last_written_block = logical;
    remember(static_cast<blk64_t>(logical), block, 1);
  }
  count_.previous = block;
  return {};
}

}  // namespace

Result<> check_block_map(CheckState& state, const CheckedInode& inode, BlockCount& count) {
  state.node_buffers.resize(kMostDepth + 1);
  MapCheck map(state, inode, count);
  const bool has_extents = ext2fs_has_feature_extents(&state.super) != 0;
  if (has_extents && inode.has(EXT4_EXTENTS_FL)) return map.check_extents();
  return map.check_indirect();
}

}  // namespace imprint::image
