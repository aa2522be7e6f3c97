// Removing nodes and changing their attributes.

#include <algorithm>

#include <fmt/format.h>

#include "ext2_attributes.hpp"
#include "ext2_release.hpp"
#include "ext2_times.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/volume.hpp"
#include "volume_edit.hpp"
#include "volume_impl.hpp"

namespace imprint::image {
namespace {

int find_any_name(ext2_ino_t /*directory*/, int /*entry_kind*/, ext2_dir_entry* entry,
                  int /*offset*/, int /*block_size*/, char* /*block*/, void* found) {
  if (is_own_name(name_of(*entry))) return 0;
  *static_cast<bool*>(found) = true;
  return DIRENT_ABORT;
}

[[nodiscard]] Result<> check_empty(Volume::Impl& impl, InodeNumber directory,
                                   std::string_view name) {
  IMPRINT_TRY(check_directory(impl, directory));
  bool found = false;
  IMPRINT_TRY(
      impl.check(ext2fs_dir_iterate2(impl.fs, directory, 0, nullptr, find_any_name, &found)));
  if (!found) return {};
  return impl.refuse(Code::exists, fmt::format("the directory {} is not empty", quoted(name)));
}

/// The `..` of a directory that is no more.
[[nodiscard]] Result<> drop_parent_link(Volume::Impl& impl, InodeNumber parent) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(parent));
  // One link means "too many to count" (dir_nlink), and two is what an empty directory has.
  if (inode.base().i_links_count > 2) --inode.base().i_links_count;
  return impl.write_inode(parent, inode);
}

}  // namespace

Result<> Volume::remove(InodeNumber parent, std::string_view name) {
  Impl& impl = *impl_;
  IMPRINT_TRY(check_editable(impl));
  IMPRINT_TRY(check_name(impl, name));
  IMPRINT_TRY(check_parent(impl, parent));
  const std::optional<InodeNumber> number = IMPRINT_TRY(lookup(parent, name));
  if (!number) return impl.refuse(Code::not_found, fmt::format("{} does not exist", quoted(name)));
  if (*number < EXT2_FIRST_INODE(impl.fs->super)) {
    return damaged(impl, fmt::format("{} leads to inode {}, which is the file system's own",
                                     quoted(name), *number));
  }
  const NodeInfo node = IMPRINT_TRY(stat(*number));
  const bool is_directory = node.type == NodeType::directory;
  if (is_directory) IMPRINT_TRY(check_empty(impl, *number, name));

  HalfDone edit(impl);
  IMPRINT_TRY(remove_name(impl, parent, name));
  if (is_directory) {
    IMPRINT_TRY(drop_directory(impl, *number));
    IMPRINT_TRY(drop_parent_link(impl, parent));
  } else {
    IMPRINT_TRY(drop_link(impl, *number));
  }
  IMPRINT_TRY(touch_directory(impl, parent));
  edit.finished();
  return {};
}

Result<> Volume::change_attributes(InodeNumber inode, const AttributeChange& change) {
  Impl& impl = *impl_;
  IMPRINT_TRY(check_editable(impl));
  const NodeInfo node = IMPRINT_TRY(stat(inode));
  FullInode full = IMPRINT_TRY(impl.read_inode(inode));
  if (change.mode) full.base().i_mode = mode_of(full.base().i_mode & LINUX_S_IFMT, *change.mode);
  set_owner(full.base(), change.uid.value_or(node.uid), change.gid.value_or(node.gid));
  if (change.modified) {
    set_times(full, change.modified->time_since_epoch().count(), {.modified = true});
  }
  set_times(full, impl.now, {.changed = true});
  HalfDone edit(impl);
  IMPRINT_TRY(impl.write_inode(inode, full));
  if (change.mode) IMPRINT_TRY(mode_into_acl(impl, inode, *change.mode));
  edit.finished();
  return {};
}

}  // namespace imprint::image
