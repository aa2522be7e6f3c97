// All inodes, with all they have: what a single one may not look like, whatever is around it.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "ext2_check.hpp"

namespace imprint::image {
namespace {

constexpr std::size_t kTableBytes = std::size_t{256} << 10;  // that are read at once

[[nodiscard]] std::uint8_t entry_type(std::uint16_t mode) noexcept {
  switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG:
      return EXT2_FT_REG_FILE;
    case LINUX_S_IFDIR:
      return EXT2_FT_DIR;
    case LINUX_S_IFCHR:
      return EXT2_FT_CHRDEV;
    case LINUX_S_IFBLK:
      return EXT2_FT_BLKDEV;
    case LINUX_S_IFIFO:
      return EXT2_FT_FIFO;
    case LINUX_S_IFSOCK:
      return EXT2_FT_SOCK;
    case LINUX_S_IFLNK:
      return EXT2_FT_SYMLINK;
    default:
      return EXT2_FT_UNKNOWN;
  }
}

class InodeCheck {
 public:
  InodeCheck(CheckState& state, const CheckedInode& inode, InodeSeen& seen)
      : state_(state),
        inode_(inode),
        raw_(*inode.raw),
        seen_(seen) {}

  [[nodiscard]] Result<> check();

 private:
  [[nodiscard]] Unexpected bad(std::string_view what) const {
    return state_.corrupt(fmt::format("inode {} {}", inode_.number, what));
  }

  [[nodiscard]] bool is_device() const noexcept {
    return seen_.type != EXT2_FT_REG_FILE && seen_.type != EXT2_FT_DIR &&
           seen_.type != EXT2_FT_SYMLINK;
  }

  [[nodiscard]] Result<> check_unused() const;
  [[nodiscard]] Result<> check_reserved() const;
  [[nodiscard]] Result<> check_fields() const;
  [[nodiscard]] Result<> check_map_kind() const;
  [[nodiscard]] Result<> check_device() const;
  [[nodiscard]] Result<> check_content();
  [[nodiscard]] Result<> note_inline_data(const AttributesFound& attributes);
  void note_directory();
  [[nodiscard]] Result<> check_size(const BlockCount& count) const;
  [[nodiscard]] Result<> check_directory_size(const BlockCount& count) const;
  [[nodiscard]] Result<> check_block_count(std::uint64_t clusters) const;
  [[nodiscard]] Result<> check_symlink(bool has_blocks, const BlockCount& count);
  [[nodiscard]] Result<> check_bad_blocks();

  CheckState& state_;
  const CheckedInode& inode_;
  ext2_inode_large& raw_;
  InodeSeen& seen_;
  std::size_t inline_bytes_ = 0;
};

Result<> InodeCheck::check() {
  const bool is_hidden = state_.is_hidden_number(inode_.number);
  if (raw_.i_links_count == 0 && !is_hidden) return check_unused();
  seen_.in_use = true;
  seen_.is_hidden = is_hidden;
  seen_.links = raw_.i_links_count;
  seen_.type = entry_type(raw_.i_mode);
  if (inode_.number == EXT2_BAD_INO) return check_bad_blocks();
  if (is_hidden) {
    IMPRINT_TRY(check_reserved());
  } else {
    if (inode_.number == EXT2_ROOT_INO && seen_.type != EXT2_FT_DIR)
      return bad("is the root directory's, but no directory");
    IMPRINT_TRY(check_fields());
  }
  IMPRINT_TRY(check_map_kind());
  if (!is_hidden && is_device()) IMPRINT_TRY(check_device());
  return check_content();
}

Result<> InodeCheck::check_unused() const {
  if (raw_.i_mode != 0 && raw_.i_dtime == 0) return bad("has no links, but was not deleted either");
  return {};
}

Result<> InodeCheck::check_reserved() const {
  const ext2_super_block& super = state_.super;
  const InodeNumber number = inode_.number;
  const bool has_file =
      (number == super.s_journal_inum && ext2fs_has_feature_journal(&state_.super) != 0) ||
      (number == super.s_orphan_file_inum && ext2fs_has_feature_orphan_file(&state_.super) != 0) ||
      (ext2fs_has_feature_quota(&state_.super) != 0 &&
       (number == super.s_usr_quota_inum || number == super.s_grp_quota_inum ||
        number == super.s_prj_quota_inum));
  if (has_file) {
    if (seen_.type != EXT2_FT_REG_FILE) return bad("is the file system's own, but no file");
    return {};
  }
  const bool may_be_file = number == EXT2_RESIZE_INO || number == EXT2_BOOT_LOADER_INO;
  if (raw_.i_mode != 0 && !(may_be_file && seen_.type == EXT2_FT_REG_FILE))
    return bad("is reserved, but has a mode");
  if (!may_be_file && (raw_.i_links_count != 0 || raw_.i_blocks != 0 || raw_.i_block[0] != 0))
    return bad("is reserved, but not empty");
  return {};
}

Result<> InodeCheck::check_fields() const {
  ext2_super_block& super = state_.super;
  if (raw_.i_dtime != 0) return bad("is in use, but has a time of deletion");
  if (seen_.type == EXT2_FT_UNKNOWN) return bad("has no type");
  if (raw_.i_faddr != 0) return bad("has the address of a fragment");
  if (super.s_creator_os == EXT2_OS_LINUX) {
    if (ext2fs_has_feature_64bit(&super) == 0 && raw_.osd2.linux2.l_i_file_acl_high != 0)
      return bad("has a block number that is too large");
    if (ext2fs_has_feature_huge_file(&super) == 0 && raw_.osd2.linux2.l_i_blocks_hi != 0)
      return bad("counts more blocks than a file can have");
  }
  if (seen_.type == EXT2_FT_DIR && raw_.i_size_high != 0 &&
      ext2fs_has_feature_largedir(&super) == 0)
    return bad("is a directory that is too large");
  if (inode_.has(EXT4_CASEFOLD_FL) &&
      (seen_.type != EXT2_FT_DIR || ext2fs_has_feature_casefold(&super) == 0))
    return bad("ignores case, but cannot");
  return {};
}

Result<> InodeCheck::check_map_kind() const {
  ext2_super_block& super = state_.super;
  const bool has_extents = ext2fs_has_feature_extents(&super) != 0;
  const bool is_special = state_.is_hidden_number(inode_.number);
  if (inode_.has(EXT4_INLINE_DATA_FL)) {
    if (inode_.has(EXT4_EXTENTS_FL)) return bad("has both inline data and extents");
    if (ext2fs_has_feature_inline_data(&super) == 0 && !is_special)
      return bad("has inline data in a file system without such");
  }
  if (inode_.has(EXT4_EXTENTS_FL) && !has_extents && raw_.i_links_count != 0)
    return bad("has extents in a file system without such");
  if (has_extents && !inode_.has(EXT4_EXTENTS_FL) && raw_.i_links_count != 0 &&
      (seen_.type == EXT2_FT_REG_FILE || seen_.type == EXT2_FT_DIR) &&
      ext2fs_extent_header_verify(raw_.i_block, sizeof(raw_.i_block)) == 0)
    return bad("has extents, but does not say so");
  if (inode_.has(EXT2_INDEX_FL) && raw_.i_links_count != 0 &&
      (seen_.type != EXT2_FT_DIR || ext2fs_has_feature_dir_index(&super) == 0))
    return bad("has a directory index, but cannot");
  return {};
}

/// A device, a FIFO or a socket.
Result<> InodeCheck::check_device() const {
  if (inode_.has(EXT2_INDEX_FL | EXT4_EXTENTS_FL)) return bad("has no content, but flags for it");
  if (inode_.has(EXT2_IMMUTABLE_FL | EXT2_APPEND_FL) &&
      std::any_of(std::begin(raw_.i_block) + 4, std::end(raw_.i_block),
                  [](std::uint32_t word) { return word != 0; }))
    return bad("is no device, though it says so");
  if (size_of(inode_.base()) != 0) return bad("has no content, but a size");
  return {};
}

void InodeCheck::note_directory() {
  seen_.indexed = inode_.has(EXT2_INDEX_FL);
  seen_.directory = static_cast<std::uint32_t>(state_.directories.size());
  DirectorySeen directory;
  directory.number = inode_.number;
  directory.checksum_seed = inode_.seed;
  directory.first_run = directory.end_run = state_.runs.size();
  directory.is_inline = inode_.has(EXT4_INLINE_DATA_FL);
  directory.encrypted = inode_.has(EXT4_ENCRYPT_FL);
  directory.casefolded = inode_.has(EXT4_CASEFOLD_FL);
  directory.indexed = seen_.indexed;
  state_.directories.push_back(directory);
}

Result<> InodeCheck::note_inline_data(const AttributesFound& attributes) {
  if (!attributes.has_inline_data) return bad("has inline data, but no attribute for it");
  inline_bytes_ = sizeof(raw_.i_block) + attributes.inline_data.size();
  if (seen_.type != EXT2_FT_DIR) return {};
  DirectorySeen& directory = state_.directories.back();
  directory.inline_at = state_.inline_data.size();
  directory.inline_size = inline_bytes_;
  const auto* const first = reinterpret_cast<const std::byte*>(raw_.i_block);
  state_.inline_data.insert(state_.inline_data.end(), first, first + sizeof(raw_.i_block));
  state_.inline_data.insert(state_.inline_data.end(), attributes.inline_data.begin(),
                            attributes.inline_data.end());
  return {};
}

Result<> InodeCheck::check_content() {
  const AttributesFound attributes = IMPRINT_TRY(check_attributes(state_, inode_));
  if (inode_.has(EXT4_EA_INODE_FL)) {
    seen_.is_value = true;
    state_.value_references[inode_.number] = ext2fs_get_ea_inode_ref(&inode_.base());
    // Lustre's count nothing.
    if (raw_.i_ctime == raw_.i_atime) state_.value_references.erase(inode_.number);
  }
  if (seen_.type == EXT2_FT_DIR) note_directory();
  BlockCount count;
  const bool has_blocks = ext2fs_inode_has_valid_blocks2(state_.fs, &inode_.base()) != 0;
  if (inode_.has(EXT4_INLINE_DATA_FL)) {
    IMPRINT_TRY(note_inline_data(attributes));
  } else if (has_blocks && inode_.number != EXT2_RESIZE_INO) {
    IMPRINT_TRY(check_block_map(state_, inode_, count));
  }
  if (seen_.type == EXT2_FT_DIR) {
    state_.directories.back().end_run = state_.runs.size();
    state_.directories.back().blocks = static_cast<std::uint64_t>(count.last_block + 1);
  }
  if (inode_.number == EXT2_RESIZE_INO) return {};
  IMPRINT_TRY(check_size(count));
  IMPRINT_TRY(check_block_count(count.clusters + attributes.clusters));
  if (seen_.type == EXT2_FT_SYMLINK) return check_symlink(has_blocks, count);
  if (ext2fs_has_feature_bigalloc(&state_.super) != 0 && count.clusters != 0 && !seen_.is_hidden &&
      !inode_.has(EXT4_EXTENTS_FL))
    return bad("has no extents in a file system of clusters");
  return {};
}

Result<> InodeCheck::check_size(const BlockCount& count) const {
  if (seen_.type == EXT2_FT_SYMLINK) return {};
  if (seen_.type == EXT2_FT_DIR) return check_directory_size(count);
  const std::uint64_t size = size_of(inode_.base());
  if (count.last_written_block >= 0 && !inode_.has(EXT4_VERITY_FL) &&
      size < static_cast<std::uint64_t>(count.last_written_block) * state_.block_bytes) {
    return bad(
        fmt::format("has a size of {} bytes, but blocks for {}", size,
                    static_cast<std::uint64_t>(count.last_written_block + 1) * state_.block_bytes));
  }
  const std::uint64_t pointers = state_.block_bytes / sizeof(std::uint32_t);
  const bool has_extents = inode_.has(EXT4_EXTENTS_FL);
  const std::uint64_t most_blocks =
      has_extents
          ? std::uint64_t{1} << 32
          : EXT2_NDIR_BLOCKS + pointers + pointers * pointers + pointers * pointers * pointers;
  if (size / state_.block_bytes > most_blocks)
    return bad(fmt::format("has a size of {} bytes, which no file can have", size));
  if (size > 0x7fff'ffff && seen_.type == EXT2_FT_REG_FILE &&
      ext2fs_has_feature_large_file(&state_.super) == 0)
    return bad("is larger than the file system's features allow");
  return {};
}

Result<> InodeCheck::check_directory_size(const BlockCount& count) const {
  const std::uint64_t size = size_of(inode_.base());
  if (inode_.has(EXT4_INLINE_DATA_FL)) {
    if (size == inline_bytes_) return {};
    return bad(fmt::format("has a size of {} bytes, but {} of inline data", size, inline_bytes_));
  }
  if (count.last_block < 0) return bad("is a directory without a block");
  const std::uint64_t blocks = size / state_.block_bytes;
  const auto has = static_cast<std::uint64_t>(count.last_block + 1);
  if (size % state_.block_bytes != 0 || blocks > has ||
      has - blocks > state_.super.s_prealloc_dir_blocks) {
    return bad(fmt::format("is a directory of {} bytes, but has {} blocks", size, has));
  }
  return {};
}

Result<> InodeCheck::check_block_count(std::uint64_t clusters) const {
  if (state_.super.s_creator_os == EXT2_OS_HURD) return {};
  const bool has_huge = ext2fs_has_feature_huge_file(&state_.super) != 0;
  const bool in_blocks = has_huge && inode_.has(EXT4_HUGE_FILE_FL);
  std::uint64_t should = clusters << static_cast<unsigned>(state_.fs->cluster_ratio_bits);
  if (!in_blocks) should *= state_.block_bytes / 512;
  std::uint64_t is = raw_.i_blocks;
  if (has_huge) is |= std::uint64_t{raw_.osd2.linux2.l_i_blocks_hi} << 32;
  if (is == should) return {};
  return bad(fmt::format("says that it has {} blocks (of {} bytes); it has {}", is,
                         in_blocks ? state_.block_bytes : 512, should));
}

Result<> InodeCheck::check_symlink(bool has_blocks, const BlockCount& count) {
  const auto wrong = [&] { return bad("is no right symbolic link"); };
  const std::uint64_t size = raw_.i_size;
  if (raw_.i_size_high != 0 || size == 0 || inode_.has(EXT2_INDEX_FL)) return wrong();
  if (inode_.has(EXT4_INLINE_DATA_FL)) {
    if (size != inline_bytes_) return wrong();
    return {};
  }
  ByteView target(reinterpret_cast<const std::byte*>(raw_.i_block), sizeof(raw_.i_block));
  if (size >= target.size()) {
    if (!has_blocks || count.last_block != 0) return wrong();
    state_.buffer.resize(state_.block_bytes);
    IMPRINT_TRY(state_.read(count.previous, state_.buffer));
    target = state_.buffer;
  } else if (inode_.has(EXT4_EXTENTS_FL)) {
    return wrong();
  }
  std::size_t length = 0;
  if (inode_.has(EXT4_ENCRYPT_FL)) {
    std::uint16_t encrypted = 0;
    std::memcpy(&encrypted, target.data(), sizeof(encrypted));
    length = encrypted + sizeof(encrypted);
  } else {
    const auto end = std::find(target.begin(), target.end(), std::byte{0});
    length = static_cast<std::size_t>(end - target.begin());
  }
  if (length >= target.size() || length != size) return wrong();
  return {};
}

/// The list of blocks that do not work: nothing else may be in that inode. They may be anywhere.
Result<> InodeCheck::check_bad_blocks() {
  if (raw_.i_mode != 0 || raw_.i_uid != 0 || raw_.i_gid != 0 || raw_.i_links_count != 0 ||
      raw_.i_file_acl != 0 || inode_.has(EXT4_INLINE_DATA_FL))
    return bad("is the list of bad blocks, but has other uses");
  BlockCount count;
  return check_block_map(state_, inode_, count);
}

/// Before some year times of deletion are numbers of the next inode to delete.
[[nodiscard]] bool checks_deletion_times(const ext2_super_block& super) noexcept {
  return std::ranges::none_of(
      std::array{super.s_wtime, super.s_mtime, super.s_mkfs_time},
      [&](std::uint32_t time) { return time != 0 && time < super.s_inodes_count; });
}

/// What is left of an inode that was never used.
[[nodiscard]] bool is_blank(const std::byte* inode) noexcept {
  static constexpr std::array<std::byte, EXT2_GOOD_OLD_INODE_SIZE> kZeros{};
  return std::memcmp(inode, kZeros.data(), kZeros.size()) == 0;
}

class TableCheck {
 public:
  explicit TableCheck(CheckState& state)
      : state_(state),
        inode_bytes_(static_cast<std::size_t>(EXT2_INODE_SIZE(&state.super))),
        checks_times_(checks_deletion_times(state.super)) {}

  [[nodiscard]] Result<> check(dgrp_t group) {
    const std::size_t count = state_.inodes[group].size();
    const std::size_t at_once =
        std::max(kTableBytes, std::size_t{state_.block_bytes}) / inode_bytes_;
    const blk64_t table = ext2fs_inode_table_loc(state_.fs, group);
    for (std::size_t first = 0; first < count; first += at_once) {
      const std::size_t inodes = std::min(at_once, count - first);
      bytes_.resize(inodes * inode_bytes_);
      const blk64_t block = table + first * inode_bytes_ / state_.block_bytes;
      IMPRINT_TRY(state_.read(block, bytes_));
      for (std::size_t i = 0; i < inodes; ++i)
        IMPRINT_TRY(check_one(group, first + i, bytes_.data() + i * inode_bytes_));
    }
    return {};
  }

 private:
  [[nodiscard]] Result<> check_one(dgrp_t group, std::size_t index, std::byte* bytes) {
    const auto number =
        static_cast<InodeNumber>(std::size_t{group} * state_.super.s_inodes_per_group + index + 1);
    if (is_blank(bytes) && !state_.is_hidden_number(number)) return {};
    CheckedInode inode{.number = number, .raw = reinterpret_cast<ext2_inode_large*>(bytes)};
    if (ext2fs_inode_csum_verify(state_.fs, number, inode.raw) == 0)
      return state_.corrupt(fmt::format("inode {} does not match its checksum", number));
    if (checks_times_ && inode.raw->i_dtime != 0 &&
        inode.raw->i_dtime < state_.super.s_inodes_count) {
      return state_.corrupt(
          fmt::format("inode {} is on the list of those that were deleted while open", number));
    }
    inode.seed = inode_seed(state_, number, inode.raw->i_generation);
    return InodeCheck(state_, inode, state_.inodes[group][index]).check();
  }

  CheckState& state_;
  std::size_t inode_bytes_;
  bool checks_times_;
  Bytes bytes_;
};

}  // namespace

Result<> check_inodes(CheckState& state) {
  // All places first: an extended attribute may have its value in an inode further on.
  for (dgrp_t group = 0; group < state.fs->group_desc_count; ++group) {
    if (ext2fs_has_group_desc_csum(state.fs) != 0 &&
        ext2fs_bg_flags_test(state.fs, group, EXT2_BG_INODE_UNINIT) != 0)
      continue;
    state.inodes[group].resize(state.super.s_inodes_per_group -
                               ext2fs_bg_itable_unused(state.fs, group));
  }
  TableCheck tables(state);
  for (dgrp_t group = 0; group < state.fs->group_desc_count; ++group)
    IMPRINT_TRY(tables.check(group));
  for (const auto& [block, attributes] : state.attribute_blocks) {
    if (attributes.says == attributes.seen) continue;
    return state.corrupt(
        fmt::format("block {} of extended attributes says that {} inodes have it; {} have", block,
                    attributes.says, attributes.seen));
  }
  return {};
}

}  // namespace imprint::image
