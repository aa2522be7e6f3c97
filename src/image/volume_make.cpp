// Making directories and symbolic links.

#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/image/volume.hpp"
#include "volume_edit.hpp"
#include "volume_impl.hpp"

namespace imprint::image {
namespace {

/// A target shorter than this lies in the inode itself.
constexpr std::size_t kFastLinkBytes = EXT2_N_BLOCKS * sizeof(std::uint32_t);
/// PATH_MAX with its final zero.
constexpr std::size_t kLongestTarget = 4095;

[[nodiscard]] Result<> check_target(const Volume::Impl& impl, std::string_view target) {
  if (target.empty() || target.find('\0') != std::string_view::npos) {
    return impl.refuse(Code::invalid_input,
                       fmt::format("{} is no target of a symbolic link", quoted(target)));
  }
  const std::size_t longest = std::min<std::size_t>(kLongestTarget, impl.fs->blocksize - 1);
  if (target.size() > longest) {
    return impl.refuse(Code::invalid_input,
                       fmt::format("the target of a symbolic link has {} bytes; at most {} fit",
                                   target.size(), longest));
  }
  return {};
}

[[nodiscard]] Result<> write_fast_target(Volume::Impl& impl, InodeNumber number,
                                         std::string_view target) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  inode.base().i_flags &= ~static_cast<std::uint32_t>(EXT4_EXTENTS_FL);
  std::memset(inode.base().i_block, 0, kFastLinkBytes);
  std::memcpy(inode.base().i_block, target.data(), target.size());
  return impl.write_inode(number, inode);
}

[[nodiscard]] Result<> write_slow_target(Volume::Impl& impl, InodeNumber number,
                                         std::string_view target) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  blk64_t block = 0;
  IMPRINT_TRY(impl.check(
      ext2fs_bmap2(impl.fs, number, &inode.base(), nullptr, BMAP_ALLOC, 0, nullptr, &block)));
  std::string bytes(target);
  bytes.resize(impl.fs->blocksize);
  return impl.check(io_channel_write_blk64(impl.fs->io, block, 1, bytes.data()));
}

/// A directory of no name, with its parent's count of links raised.
[[nodiscard]] Result<InodeNumber> new_directory(Volume::Impl& impl, InodeNumber parent,
                                                const Attributes& attributes) {
  ext2_ino_t number = 0;
  const std::uint16_t mode = mode_of(LINUX_S_IFDIR, attributes.mode);
  IMPRINT_TRY(impl.check(ext2fs_new_inode(impl.fs, parent, mode, nullptr, &number)));
  IMPRINT_TRY(impl.check(ext2fs_mkdir(impl.fs, parent, number, nullptr)));
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  inode.base().i_mode = mode;
  set_attributes(impl, inode, attributes);
  IMPRINT_TRY(inherit_project(impl, parent, inode));
  IMPRINT_TRY(impl.write_inode(number, inode));
  return number;
}

}  // namespace

Result<InodeNumber> Volume::make_directory(InodeNumber parent, std::string_view name,
                                           const Attributes& attributes) {
  Impl& impl = *impl_;
  IMPRINT_TRY(check_editable(impl));
  IMPRINT_TRY(check_name(impl, name));
  IMPRINT_TRY(check_parent(impl, parent));
  if (IMPRINT_TRY(lookup(parent, name))) {
    return impl.refuse(Code::exists, fmt::format("{} exists already", quoted(name)));
  }
  IMPRINT_TRY(check_room(impl, ext2fs_has_feature_inline_data(impl.fs->super) ? 0 : 1, name));
  FullInode above = IMPRINT_TRY(impl.read_inode(parent));
  // One link means "too many to count" (dir_nlink); the library would count on from there.
  if (above.base().i_links_count < 2 || above.base().i_links_count >= EXT2_LINK_MAX - 1) {
    return impl.refuse(
        Code::image_full,
        fmt::format("no room for {}: its parent has too many subdirectories", quoted(name)));
  }

  HalfDone edit(impl);
  const InodeNumber made = IMPRINT_TRY(new_directory(impl, parent, attributes));
  IMPRINT_TRY(add_name(impl, parent, name, made, EXT2_FT_DIR));
  IMPRINT_TRY(touch_directory(impl, parent));
  edit.finished();
  return made;
}

Result<InodeNumber> Volume::make_symlink(InodeNumber parent, std::string_view name,
                                         std::string_view target, const Attributes& attributes) {
  Impl& impl = *impl_;
  IMPRINT_TRY(check_editable(impl));
  IMPRINT_TRY(check_name(impl, name));
  IMPRINT_TRY(check_target(impl, target));
  IMPRINT_TRY(check_parent(impl, parent));
  if (IMPRINT_TRY(lookup(parent, name))) {
    return impl.refuse(Code::exists, fmt::format("{} exists already", quoted(name)));
  }
  const bool is_fast = target.size() < kFastLinkBytes;
  IMPRINT_TRY(check_room(impl, is_fast ? 0 : 1, name));

  HalfDone edit(impl);
  const InodeNumber made =
      IMPRINT_TRY(new_inode(impl, parent, LINUX_S_IFLNK, target.size(), attributes));
  if (is_fast) {
    IMPRINT_TRY(write_fast_target(impl, made, target));
  } else {
    IMPRINT_TRY(write_slow_target(impl, made, target));
  }
  IMPRINT_TRY(add_name(impl, parent, name, made, EXT2_FT_SYMLINK));
  IMPRINT_TRY(touch_directory(impl, parent));
  edit.finished();
  return made;
}

}  // namespace imprint::image
