// Where things lie in an ext file system, asked from the other end: from a byte of the image to
// what it belongs to. There is no index for that, so everything that has blocks is asked; but only
// when the bitmap says that the block is somebody's.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/image/whereabouts.hpp"
#include "volume_edit.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

struct VolumeMap::Impl {
  Impl(const ImageReader& image, const Partition& partition)
      : volume(image, nullptr, partition, TimePoint{}) {}

  Volume::Impl volume;
};

namespace {

constexpr std::uint64_t kSuperblockBytes = 1024;

/// A group's copies of what describes the whole; 0 where there is none.
struct GroupCopies {
  std::optional<blk64_t> super;
  blk64_t descriptors = 0;
  blk64_t descriptor_blocks = 0;
  blk64_t reserved_blocks = 0;  ///< behind them, for more descriptors
};

[[nodiscard]] GroupCopies copies_in(ext2_filsys fs, dgrp_t group) {
  GroupCopies copies;
  blk64_t super = 0;
  blk64_t old_descriptors = 0;
  blk64_t new_descriptors = 0;
  ext2fs_super_and_bgd_loc2(fs, group, &super, &old_descriptors, &new_descriptors, nullptr);
  if (super != 0 || group == 0) copies.super = super;
  copies.descriptors = old_descriptors != 0 ? old_descriptors : new_descriptors;
  if (new_descriptors != 0) copies.descriptor_blocks = 1;
  if (old_descriptors != 0) {
    const bool has_meta_groups = ext2fs_has_feature_meta_bg(fs->super) != 0;
    copies.descriptor_blocks = has_meta_groups ? fs->super->s_first_meta_bg : fs->desc_blocks;
    if (!has_meta_groups) copies.reserved_blocks = fs->super->s_reserved_gdt_blocks;
  }
  return copies;
}

/// Which file has a block, and as what.
struct BlockSearch {
  ext2_filsys fs = nullptr;
  blk64_t wanted = 0;
  blk64_t left = 0;  // that a sound file can have yet
  bool found = false;
  bool is_map = false;
};

int compare_block(ext2_filsys /*fs*/, blk64_t* block, e2_blkcnt_t logical, blk64_t /*reference*/,
                  int /*reference_offset*/, void* data) {
  auto& search = *static_cast<BlockSearch*>(data);
  if (search.left-- == 0) return BLOCK_ABORT;
  if (EXT2FS_B2C(search.fs, *block) != EXT2FS_B2C(search.fs, search.wanted)) return 0;
  search.found = true;
  search.is_map = logical < 0;
  return BLOCK_ABORT;
}

struct NameSearch {
  InodeNumber wanted = 0;
  std::vector<std::pair<std::string, InodeNumber>> entries;
};

int collect_entry(ext2_ino_t /*directory*/, int entry_kind, ext2_dir_entry* entry, int /*offset*/,
                  int /*block_size*/, char* /*block*/, void* data) {
  if (entry_kind != DIRENT_OTHER_FILE) return 0;
  static_cast<NameSearch*>(data)->entries.emplace_back(name_of(*entry), entry->inode);
  return 0;
}

/// Answers one question.
class Finder {
 public:
  Finder(Volume::Impl& volume, std::uint64_t image_offset)
      : volume_(volume),
        fs_(volume.fs),
        at_(image_offset - volume.partition.offset_bytes),
        block_(at_ / fs_->blocksize) {}

  [[nodiscard]] Result<Whereabouts> find();

 private:
  [[nodiscard]] Whereabouts place(Place place, std::string_view what, InodeNumber inode = 0,
                                  std::vector<std::string> paths = {}) const;
  [[nodiscard]] std::optional<Whereabouts> find_in_group(dgrp_t group) const;
  [[nodiscard]] Result<std::optional<Whereabouts>> find_in_tables();
  [[nodiscard]] Result<bool> is_free() const;
  [[nodiscard]] Result<std::optional<Whereabouts>> find_in_files();
  [[nodiscard]] Result<std::optional<Whereabouts>> find_in(InodeNumber number);
  [[nodiscard]] Result<Whereabouts> owned(InodeNumber number, ext2_inode& inode,
                                          const BlockSearch& search);
  [[nodiscard]] Result<std::string> file_text(InodeNumber number, std::vector<std::string>& paths);
  [[nodiscard]] Result<std::vector<std::string>> paths_of(InodeNumber number);
  [[nodiscard]] Result<> list(InodeNumber directory, NameSearch& into);

  Volume::Impl& volume_;
  ext2_filsys fs_;
  std::uint64_t at_;  // in the file system
  blk64_t block_;
};

Whereabouts Finder::place(Place place, std::string_view what, InodeNumber inode,
                          std::vector<std::string> paths) const {
  const std::string label = volume_.partition.label.empty()
                                ? std::string()
                                : fmt::format(" ({})", quoted(volume_.partition.label));
  return {.place = place,
          .text = fmt::format("{} in partition {}{}", what, volume_.partition.number, label),
          .inode = inode,
          .paths = std::move(paths)};
}

Result<Whereabouts> Finder::find() {
  if (block_ >= ext2fs_blocks_count(fs_->super)) {
    return place(Place::behind_file_system, "the space behind the file system");
  }
  if (at_ < kSuperblockBytes)
    return place(Place::metadata, "the boot sector before the file system");
  for (dgrp_t group = 0; group < fs_->group_desc_count; ++group) {
    if (std::optional<Whereabouts> found = find_in_group(group)) return std::move(*found);
  }
  if (std::optional<Whereabouts> found = IMPRINT_TRY(find_in_tables())) return std::move(*found);
  if (ext2fs_has_feature_mmp(fs_->super) != 0 && block_ == fs_->super->s_mmp_block)
    return place(Place::metadata, "the block of multiple mount protection");
  if (IMPRINT_TRY(is_free())) return place(Place::free_block, fmt::format("free block {}", block_));
  if (std::optional<Whereabouts> found = IMPRINT_TRY(find_in_files())) return std::move(*found);
  return place(Place::metadata,
               fmt::format("block {}, which is marked as in use though nothing uses it,", block_));
}

std::optional<Whereabouts> Finder::find_in_group(dgrp_t group) const {
  const auto is_in = [&](blk64_t first, blk64_t count) {
    return block_ >= first && block_ - first < count;
  };
  const auto metadata = [&](const char* what) {
    return place(Place::metadata, fmt::format("the {} of block group {}", what, group));
  };
  const GroupCopies copies = copies_in(fs_, group);
  if (copies.super && is_in(*copies.super, 1)) return metadata("superblock");
  if (copies.descriptors != 0) {
    if (is_in(copies.descriptors, copies.descriptor_blocks)) return metadata("group descriptors");
    if (is_in(copies.descriptors + copies.descriptor_blocks, copies.reserved_blocks))
      return metadata("blocks for more group descriptors");
  }
  if (is_in(ext2fs_block_bitmap_loc(fs_, group), 1)) return metadata("block bitmap");
  if (is_in(ext2fs_inode_bitmap_loc(fs_, group), 1)) return metadata("inode bitmap");
  return std::nullopt;
}

Result<std::optional<Whereabouts>> Finder::find_in_tables() {
  for (dgrp_t group = 0; group < fs_->group_desc_count; ++group) {
    const blk64_t table = ext2fs_inode_table_loc(fs_, group);
    if (block_ < table || block_ - table >= fs_->inode_blocks_per_group) continue;
    const std::uint64_t index =
        (at_ - table * fs_->blocksize) / static_cast<unsigned>(EXT2_INODE_SIZE(fs_->super));
    if (index >= fs_->super->s_inodes_per_group)
      return place(Place::inode_table, "the end of an inode table");
    const auto number =
        static_cast<InodeNumber>(group * fs_->super->s_inodes_per_group + index + 1);
    FullInode inode = IMPRINT_TRY(volume_.read_inode(number));
    if (inode.base().i_links_count == 0 && number >= EXT2_FIRST_INODE(fs_->super)) {
      return place(Place::inode_table,
                   fmt::format("the inode table (inode {}, which is not in use)", number), number);
    }
    std::vector<std::string> paths;
    const std::string text = IMPRINT_TRY(file_text(number, paths));
    return place(Place::inode_table, "the inode of " + text, number, std::move(paths));
  }
  return std::optional<Whereabouts>();
}

/// By the bitmap of its group. Of a group whose bitmap was never written nothing is in use but what
/// was looked for before.
Result<bool> Finder::is_free() const {
  if (block_ < fs_->super->s_first_data_block) return false;
  const blk64_t index = block_ - fs_->super->s_first_data_block;
  const auto group = static_cast<dgrp_t>(index / fs_->super->s_blocks_per_group);
  if (ext2fs_has_group_desc_csum(fs_) != 0 &&
      ext2fs_bg_flags_test(fs_, group, EXT2_BG_BLOCK_UNINIT) != 0)
    return true;
  const blk64_t bit =
      (index % fs_->super->s_blocks_per_group) >> static_cast<unsigned>(fs_->cluster_ratio_bits);
  Bytes one(1);
  IMPRINT_TRY(volume_.image
                  .read(volume_.image_offset_of(ext2fs_block_bitmap_loc(fs_, group)) + bit / 8, one)
                  .context(volume_.described()));
  return ((std::to_integer<unsigned>(one[0]) >> (bit % 8)) & 1U) == 0;
}

Result<std::optional<Whereabouts>> Finder::find_in_files() {
  const std::uint32_t per_group = fs_->super->s_inodes_per_group;
  for (dgrp_t group = 0; group < fs_->group_desc_count; ++group) {
    std::uint32_t used = per_group;
    if (ext2fs_has_group_desc_csum(fs_) != 0) {
      if (ext2fs_bg_flags_test(fs_, group, EXT2_BG_INODE_UNINIT) != 0) continue;
      used -= std::min(used, ext2fs_bg_itable_unused(fs_, group));
    }
    for (std::uint32_t i = 0; i < used; ++i) {
      if (std::optional<Whereabouts> found = IMPRINT_TRY(find_in(group * per_group + i + 1)))
        return found;
    }
  }
  return std::optional<Whereabouts>();
}

Result<std::optional<Whereabouts>> Finder::find_in(InodeNumber number) {
  FullInode inode = IMPRINT_TRY(volume_.read_inode(number));
  ext2_inode& base = inode.base();
  if (base.i_links_count == 0 && number >= EXT2_FIRST_INODE(fs_->super))
    return std::optional<Whereabouts>();
  if (ext2fs_file_acl_block(fs_, &base) == block_) {
    std::vector<std::string> paths;
    const std::string text = IMPRINT_TRY(file_text(number, paths));
    return place(Place::file_content, "extended attributes of " + text, number, std::move(paths));
  }
  if (ext2fs_inode_has_valid_blocks2(fs_, &base) == 0 && number != EXT2_BAD_INO)
    return std::optional<Whereabouts>();
  BlockSearch search{.fs = fs_, .wanted = block_, .left = ext2fs_blocks_count(fs_->super)};
  IMPRINT_TRY(volume_.check(
      ext2fs_block_iterate3(fs_, number, BLOCK_FLAG_READ_ONLY, nullptr, compare_block, &search)));
  if (!search.found) return std::optional<Whereabouts>();
  return std::optional<Whereabouts>(IMPRINT_TRY(owned(number, base, search)));
}

Result<Whereabouts> Finder::owned(InodeNumber number, ext2_inode& inode,
                                  const BlockSearch& search) {
  const ext2_super_block& super = *fs_->super;
  if (number == super.s_journal_inum && ext2fs_has_feature_journal(fs_->super) != 0)
    return place(Place::journal, "the journal", number);
  if (number == EXT2_BAD_INO) return place(Place::metadata, "the list of bad blocks", number);
  if (number == EXT2_RESIZE_INO) return place(Place::metadata, "the resize inode", number);
  if (number == super.s_orphan_file_inum && number != 0)
    return place(Place::metadata, "the orphan file", number);
  if (number != 0 && (number == super.s_usr_quota_inum || number == super.s_grp_quota_inum ||
                      number == super.s_prj_quota_inum))
    return place(Place::metadata, "a quota file", number);
  if ((inode.i_flags & EXT4_EA_INODE_FL) != 0) {
    return place(Place::file_content,
                 fmt::format("the value of an extended attribute (inode {})", number), number);
  }
  std::vector<std::string> paths;
  const std::string text = IMPRINT_TRY(file_text(number, paths));
  if (search.is_map)
    return place(Place::metadata, "the block map of " + text, number, std::move(paths));
  const bool is_directory = LINUX_S_ISDIR(inode.i_mode);
  return place(Place::file_content, (is_directory ? "names in " : "content of ") + text, number,
               std::move(paths));
}

/// `'/etc/key.pem' and 1 other name (inode 14)`, or `inode 14, which has no name`.
Result<std::string> Finder::file_text(InodeNumber number, std::vector<std::string>& paths) {
  paths = IMPRINT_TRY(paths_of(number));
  if (paths.empty()) return fmt::format("inode {}, which has no name,", number);
  std::string names;
  for (const std::string& path : paths)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", quoted(path));
  return fmt::format("{} (inode {})", names, number);
}

Result<> Finder::list(InodeNumber directory, NameSearch& into) {
  into.entries.clear();
  FullInode inode = IMPRINT_TRY(volume_.read_inode(directory));
  if (type_of(inode.base()) != NodeType::directory) return {};
  // The library reads whatever the map of a damaged directory leads to.
  if ((inode.base().i_flags & EXT4_INLINE_DATA_FL) == 0)
    IMPRINT_TRY(volume_.map_blocks(directory, inode.base()));
  return volume_.check(ext2fs_dir_iterate2(fs_, directory, 0, nullptr, collect_entry, &into));
}

Result<std::vector<std::string>> Finder::paths_of(InodeNumber number) {
  std::vector<std::string> paths;
  if (number == EXT2_ROOT_INO) return std::vector<std::string>{"/"};
  std::vector<std::pair<InodeNumber, std::string>> open{{EXT2_ROOT_INO, "/"}};
  std::set<InodeNumber> seen{EXT2_ROOT_INO};
  NameSearch search;
  while (!open.empty()) {
    const auto [directory, path] = std::move(open.back());
    open.pop_back();
    IMPRINT_TRY(list(directory, search));
    for (const auto& [name, inode] : search.entries) {
      if (inode == number) paths.push_back(path + name);
      if (inode != 0 && inode <= fs_->super->s_inodes_count && seen.insert(inode).second)
        open.emplace_back(inode, path + name + "/");
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

VolumeMap::VolumeMap(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

VolumeMap::VolumeMap(VolumeMap&&) noexcept = default;
VolumeMap& VolumeMap::operator=(VolumeMap&&) noexcept = default;
VolumeMap::~VolumeMap() = default;

Result<VolumeMap> VolumeMap::open(const ImageReader& image, const Partition& partition) {
  auto impl = std::make_unique<Impl>(image, partition);
  IMPRINT_TRY(impl->volume.open(0));
  return VolumeMap(std::move(impl));
}

Result<FileRanges> VolumeMap::file_ranges(InodeNumber inode) const {
  Volume::Impl& volume = impl_->volume;
  FullInode full = IMPRINT_TRY(volume.read_inode(inode));
  if (type_of(full.base()) != NodeType::file) {
    return volume.refuse(Code::invalid_input, fmt::format("inode {} is no regular file", inode));
  }
  FileRanges ranges{.content = {},
                    .inode = {volume.image_offset_of_inode(inode),
                              static_cast<std::uint64_t>(EXT2_INODE_SIZE(volume.fs->super))}};
  for (const BlockRun& run : IMPRINT_TRY(volume.map_blocks(inode, full.base()))) {
    if (run.unwritten) continue;
    ranges.content.push_back(
        {volume.image_offset_of(run.physical), run.blocks * volume.fs->blocksize});
  }
  return ranges;
}

Result<std::vector<DataRange>> VolumeMap::allocation_metadata() const {
  const Volume::Impl& volume = impl_->volume;
  const ext2_filsys fs = volume.fs;
  std::vector<DataRange> ranges;
  const auto add = [&](blk64_t block, blk64_t count) {
    if (count == 0 || block >= ext2fs_blocks_count(fs->super)) return;
    count = std::min(count, ext2fs_blocks_count(fs->super) - block);
    ranges.push_back({volume.image_offset_of(block), count * fs->blocksize});
  };
  ranges.push_back({volume.partition.offset_bytes + kSuperblockBytes, kSuperblockBytes});
  for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
    const GroupCopies copies = copies_in(fs, group);
    if (group != 0 && copies.super)
      ranges.push_back({volume.image_offset_of(*copies.super), kSuperblockBytes});
    if (copies.descriptors != 0) add(copies.descriptors, copies.descriptor_blocks);
    add(ext2fs_block_bitmap_loc(fs, group), 1);
    add(ext2fs_inode_bitmap_loc(fs, group), 1);
  }
  return joined(std::move(ranges));
}

Result<Whereabouts> VolumeMap::at(std::uint64_t image_offset) const {
  const Partition& partition = impl_->volume.partition;
  if (image_offset < partition.offset_bytes ||
      image_offset - partition.offset_bytes >= partition.size_bytes) {
    return impl_->volume.refuse(Code::invalid_input,
                                fmt::format("byte {} is not in it", image_offset));
  }
  return Finder(impl_->volume, image_offset).find();
}

}  // namespace imprint::image
