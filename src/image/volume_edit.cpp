// What all edits have in common: the questions before, and the pieces.

#include "volume_edit.hpp"

#include <cstddef>
#include <string>

#include <fmt/format.h>

#include "ext2_times.hpp"
#include "imprint/base/text.hpp"

namespace imprint::image {

Result<> check_editable(const Volume::Impl& impl) {
  if (!impl.editable) return impl.refuse(Code::internal, "the volume was opened for reading only");
  if (impl.broken) return impl.refuse(Code::internal, "an earlier edit failed half-way");
  return {};
}

Result<> check_name(const Volume::Impl& impl, std::string_view name) {
  if (name.size() > EXT2_NAME_LEN) {
    return impl.refuse(Code::invalid_input,
                       fmt::format("the name {} has {} bytes; a file name has at most {}",
                                   quoted(name), name.size(), EXT2_NAME_LEN));
  }
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos) {
    return impl.refuse(Code::invalid_input, fmt::format("{} is no file name", quoted(name)));
  }
  return {};
}

Result<> check_room(const Volume::Impl& impl, blk64_t blocks, std::string_view name) {
  const blk64_t free_blocks = ext2fs_free_blocks_count(impl.fs->super);
  if (blocks > free_blocks) {
    return impl.refuse(
        Code::image_full,
        fmt::format("no room for {}: {} block{} of {} bytes needed, {} free", quoted(name), blocks,
                    blocks == 1 ? "" : "s", impl.fs->blocksize, free_blocks));
  }
  if (impl.fs->super->s_free_inodes_count == 0) {
    return impl.refuse(Code::image_full,
                       fmt::format("no room for {}: no free inodes", quoted(name)));
  }
  return {};
}

Result<> check_directory(Volume::Impl& impl, InodeNumber directory) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(directory));
  // The library would take anything whose blocks happen to look like entries.
  if (type_of(inode.base()) != NodeType::directory || inode.base().i_links_count == 0) {
    return impl.refuse(Code::invalid_input, fmt::format("inode {} is not a directory", directory));
  }
  if ((inode.base().i_flags & EXT4_ENCRYPT_FL) != 0) {
    return impl.refuse(Code::unsupported,
                       fmt::format("the directory in inode {} is encrypted; its names and files "
                                   "can be read on the device only",
                                   directory));
  }
  // A directory whose blocks run in circles would be read for ever.
  IMPRINT_TRY(impl.map_blocks(directory, inode.base()));
  return {};
}

Result<> check_parent(Volume::Impl& impl, InodeNumber parent) {
  IMPRINT_TRY(check_directory(impl, parent));
  FullInode inode = IMPRINT_TRY(impl.read_inode(parent));
  if ((inode.base().i_flags & EXT4_CASEFOLD_FL) != 0) {
    return impl.refuse(Code::unsupported,
                       fmt::format("the directory in inode {} ignores case ('casefold'), which "
                                   "this version cannot edit; choose another directory",
                                   parent));
  }
  return {};
}

std::uint16_t mode_of(unsigned type, unsigned mode) {
  return static_cast<std::uint16_t>(type | (mode & 07777U));
}

void set_owner(ext2_inode& inode, unsigned uid, unsigned gid) {
  inode.i_uid = static_cast<std::uint16_t>(uid);
  inode.osd2.linux2.l_i_uid_high = static_cast<std::uint16_t>(uid >> 16);
  inode.i_gid = static_cast<std::uint16_t>(gid);
  inode.osd2.linux2.l_i_gid_high = static_cast<std::uint16_t>(gid >> 16);
}

void set_attributes(const Volume::Impl& impl, FullInode& inode, const Attributes& attributes) {
  set_owner(inode.base(), attributes.uid, attributes.gid);
  set_times(inode, impl.now,
            {.modified = true, .changed = true, .accessed = true, .created = true});
  if (attributes.modified) {
    set_times(inode, attributes.modified->time_since_epoch().count(), {.modified = true});
  }
}

void copy_project(const Volume::Impl& impl, FullInode& from, FullInode& to) {
  constexpr std::size_t kEnd =
      offsetof(ext2_inode_large, i_projid) + sizeof(__u32) - EXT2_GOOD_OLD_INODE_SIZE;
  if (ext2fs_has_feature_project(impl.fs->super) == 0 || !from.has_extra()) return;
  if (from.large().i_extra_isize < kEnd || to.large().i_extra_isize < kEnd) return;
  to.large().i_projid = from.large().i_projid;
}

Result<> inherit_project(Volume::Impl& impl, InodeNumber parent, FullInode& inode) {
  FullInode above = IMPRINT_TRY(impl.read_inode(parent));
  if ((above.base().i_flags & EXT4_PROJINHERIT_FL) == 0) return {};
  copy_project(impl, above, inode);
  if (type_of(inode.base()) == NodeType::directory) inode.base().i_flags |= EXT4_PROJINHERIT_FL;
  return {};
}

Result<> touch_directory(Volume::Impl& impl, InodeNumber directory) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(directory));
  set_times(inode, impl.now, {.modified = true, .changed = true});
  return impl.write_inode(directory, inode);
}

Result<InodeNumber> new_inode(Volume::Impl& impl, InodeNumber parent, unsigned type,
                              std::uint64_t size_bytes, const Attributes& attributes) {
  const ext2_filsys fs = impl.fs;
  ext2_ino_t number = 0;
  const std::uint16_t mode = mode_of(type, attributes.mode);
  IMPRINT_TRY(impl.check(ext2fs_new_inode(fs, parent, mode, nullptr, &number)));
  FullInode inode(fs);
  ext2_inode& base = inode.base();
  base.i_mode = mode;
  base.i_links_count = 1;
  IMPRINT_TRY(impl.check(ext2fs_inode_size_set(fs, &base, static_cast<ext2_off64_t>(size_bytes))));
  if (inode.has_extra()) {
    inode.large().i_extra_isize = sizeof(ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
  }
  set_attributes(impl, inode, attributes);
  IMPRINT_TRY(inherit_project(impl, parent, inode));
  if (ext2fs_has_feature_extents(fs->super)) {
    // The empty extent tree, which the library makes when it is opened on a zeroed i_block.
    base.i_flags |= EXT4_EXTENTS_FL;
    ext2_extent_handle_t tree = nullptr;
    IMPRINT_TRY(impl.check(ext2fs_extent_open2(fs, number, &base, &tree)));
    ext2fs_extent_free(tree);
  }
  ext2fs_inode_alloc_stats2(fs, number, +1, 0);
  IMPRINT_TRY(impl.write_inode(number, inode));
  return number;
}

}  // namespace imprint::image
