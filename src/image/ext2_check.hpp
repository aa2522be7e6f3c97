#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include <ext2fs/ext2fs.h>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// One bit per cluster, from the file system's first block.
class ClusterSet {
 public:
  explicit ClusterSet(std::uint64_t count) : words_(static_cast<std::size_t>(count / 64 + 1)) {}

  /// Adds them all; false when one of them was in the set already.
  bool add(std::uint64_t first, std::uint64_t count) noexcept;

  [[nodiscard]] bool contains(std::uint64_t cluster) const noexcept {
    return ((words_[static_cast<std::size_t>(cluster / 64)] >> (cluster % 64)) & 1U) != 0;
  }

  /// Bit for bit, from cluster 0; the host is little endian (ext2_check.cpp).
  [[nodiscard]] ByteView bytes() const noexcept { return std::as_bytes(std::span(words_)); }

 private:
  std::vector<std::uint64_t> words_;
};

/// What is known of an inode that is in use.
struct InodeSeen {
  std::uint32_t named = 0;      ///< entries that name it, '.' and '..' included
  std::uint32_t directory = 0;  ///< index into CheckState::directories
  std::uint32_t values = 0;     ///< extended attributes whose value it holds
  std::uint16_t links = 0;      ///< as the inode says
  std::uint8_t type = 0;        ///< EXT2_FT_…, as entries say; unknown when it is not in use
  bool in_use = false;
  bool indexed = false;    ///< a directory with an htree
  bool is_value = false;   ///< of an extended attribute (ea_inode)
  bool is_hidden = false;  ///< known from the superblock; never in a directory
};

struct DirectorySeen {
  InodeNumber number = 0;
  std::uint32_t checksum_seed = 0;
  InodeNumber parent = 0;   ///< that it was found in
  InodeNumber dot_dot = 0;  ///< that it says it is in
  std::uint64_t blocks = 0;
  std::size_t first_run = 0;  ///< of CheckState::runs
  std::size_t end_run = 0;
  std::size_t inline_at = 0;  ///< in CheckState::inline_data; both parts, one after the other
  std::size_t inline_size = 0;
  bool is_inline = false;
  bool encrypted = false;
  bool casefolded = false;
  bool indexed = false;
};

/// An extended attribute block: what it says, and how often inodes referred to it.
struct AttributeBlock {
  std::uint32_t says = 0;
  std::uint32_t seen = 0;
  std::uint64_t value_clusters = 0;
};

/// All that is collected while one file system is checked.
struct CheckState {
  explicit CheckState(Volume::Impl& volume);

  Volume::Impl& impl;
  ext2_filsys fs;
  ext2_super_block& super;
  std::uint32_t block_bytes;
  blk64_t first_block;
  blk64_t end_block;
  bool has_checksums;  ///< metadata_csum
  bool shares_blocks;  ///< several files may have one block

  ClusterSet used;
  blk64_t claims_left;                         ///< that a file system of this size can have
  std::vector<std::vector<InodeSeen>> inodes;  ///< by group, as far as its table is in use
  std::vector<DirectorySeen> directories;
  std::vector<BlockRun> runs;  ///< of directories
  Bytes inline_data;
  std::unordered_map<InodeNumber, std::uint64_t> value_references;  ///< as inodes of values say
  std::unordered_map<blk64_t, AttributeBlock> attribute_blocks;
  std::vector<Bytes> node_buffers;  ///< one per level of a block map
  Bytes buffer;                     ///< for whoever is at work

  struct Piece {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  std::vector<Piece> pieces;  ///< of the attributes that are looked at

  /// Code::corrupt with the partition and what to do.
  [[nodiscard]] Unexpected corrupt(std::string what) const {
    return damaged(impl, std::move(what));
  }

  /// Reads blocks, which exist.
  [[nodiscard]] Result<> read(blk64_t block, MutableBytes into) const;

  [[nodiscard]] bool is_block(blk64_t block) const noexcept {
    return block >= first_block && block < end_block;
  }

  [[nodiscard]] std::uint64_t cluster_of(blk64_t block) const noexcept {
    return (block - first_block) >> static_cast<unsigned>(fs->cluster_ratio_bits);
  }

  /// The clusters of these blocks, for `who` ("inode 12"); an error when somebody has one already.
  [[nodiscard]] Result<> claim(blk64_t block, blk64_t count, InodeNumber who);

  /// What was seen of an inode; none for numbers outside the tables or their parts in use.
  [[nodiscard]] InodeSeen* seen(InodeNumber number) noexcept;

  [[nodiscard]] bool is_hidden_number(InodeNumber number) const noexcept;
};

/// State of a checksum after file system, inode number and generation.
[[nodiscard]] std::uint32_t inode_seed(const CheckState& state, InodeNumber number,
                                       std::uint32_t generation) noexcept;
[[nodiscard]] std::uint32_t crc32c(std::uint32_t seed, ByteView bytes) noexcept;

/// An inode of the table that is being read.
struct CheckedInode {
  InodeNumber number = 0;
  ext2_inode_large* raw = nullptr;  ///< as large as the file system's inodes
  std::uint32_t seed = 0;

  [[nodiscard]] ext2_inode& base() const noexcept { return *reinterpret_cast<ext2_inode*>(raw); }

  [[nodiscard]] bool has(std::uint32_t flag) const noexcept { return (raw->i_flags & flag) != 0; }
};

/// The blocks of an inode, as e2fsck counts them.
struct BlockCount {
  std::uint64_t clusters = 0;
  std::int64_t last_block = -1;          ///< of the file
  std::int64_t last_written_block = -1;  ///< that holds something
  blk64_t previous = 0;                  ///< of the file system
};

// The passes, in their order. Each relies on those before.

/// Superblock, group descriptors, and the places of tables and bitmaps.
[[nodiscard]] Result<> check_groups(CheckState& state);
/// Inodes and their blocks.
[[nodiscard]] Result<> check_inodes(CheckState& state);
/// Journal, resize inode and orphan file: what is in them.
[[nodiscard]] Result<> check_special_files(CheckState& state);
/// Directories, that all is reachable from the root, and link counts.
[[nodiscard]] Result<> check_directories(CheckState& state);
[[nodiscard]] Result<> check_links(CheckState& state);
/// Bitmaps and what counts them.
[[nodiscard]] Result<> check_bitmaps(CheckState& state);

// Parts of these.

/// Claims all blocks that the inode maps; the runs of a directory go into the state.
[[nodiscard]] Result<> check_block_map(CheckState& state, const CheckedInode& inode,
                                       BlockCount& count);

/// Extended attributes in the inode and in a block of their own. `inline_size`: of the content that
/// is among them, beyond what is in i_block.
struct AttributesFound {
  std::uint64_t clusters = 0;  ///< that count as the inode's: the block, values in other inodes
  bool has_inline_data = false;
  ByteView inline_data;  ///< lives as long as the inode's bytes
};

[[nodiscard]] Result<AttributesFound> check_attributes(CheckState& state,
                                                       const CheckedInode& inode);

/// A directory's htree, when its blocks have been read one after the other.
class IndexCheck {
 public:
  IndexCheck(const CheckState& state, const DirectorySeen& directory);

  /// What the block is, and what an inner one says; to be called for all blocks, in order.
  [[nodiscard]] Result<> add_block(std::uint64_t number, ByteView block);
  /// Whether the block that was added last has entries to look at.
  [[nodiscard]] bool is_leaf() const noexcept;
  void add_name(std::string_view name);
  [[nodiscard]] Result<> finish();

 private:
  enum class Kind : std::uint8_t { leaf, node, root };

  struct Block {
    std::uint32_t lowest = ~std::uint32_t{0};  // of the names in it
    std::uint32_t highest = 0;
    std::uint32_t from = 0;  // where its parent says it begins
    std::uint32_t to = 0;    // and ends
    std::uint32_t parent = 0;
    std::uint32_t previous = 0;
    Kind kind = Kind::leaf;
    bool referenced = false;
    bool is_first = false;
    bool is_last = false;
  };

  [[nodiscard]] Result<> add_root(ByteView block);
  [[nodiscard]] Result<> add_entries(std::uint64_t number, ByteView block, std::size_t at);
  [[nodiscard]] unsigned depth_of(const Block& block) const noexcept;
  void pull_up(Kind kind);
  [[nodiscard]] Unexpected bad(std::string what) const;

  const CheckState& state_;
  const DirectorySeen& directory_;
  std::vector<Block> blocks_;
  std::size_t current_ = 0;
  int hash_version_ = 0;
  unsigned depth_ = 0;
  bool hashes_names_ = false;
};

}  // namespace imprint::image
