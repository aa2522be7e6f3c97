// Making and replacing files.
//
// A replaced file gets a new inode and new blocks; only then is its directory entry switched, and
// only after that are the old blocks zeroed and freed. So the writes that put a key into the image
// all go to blocks that were free before (redo.hpp relies on it), and an old key is really gone
// afterwards. Rejected: rewriting the old blocks in place (an interrupted write leaves half a key
// under the old name), and unlink + link (the new name may land in another directory block, or not
// fit at all; the entry keeps its place and its hash when only the inode number in it changes).
//
// Content never goes through the library's file objects, whose buffers are freed unwiped.

#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "ext2_error.hpp"
#include "ext2_release.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {
namespace {

/// i_mode of a file type and permission bits.
[[nodiscard]] std::uint16_t mode_of(unsigned type, const Attributes& attributes) {
  return static_cast<std::uint16_t>(type | (attributes.mode & 07777U));
}

void set_owner(ext2_inode& inode, const Attributes& attributes) {
  inode.i_uid = static_cast<std::uint16_t>(attributes.uid);
  inode.osd2.linux2.l_i_uid_high = static_cast<std::uint16_t>(attributes.uid >> 16);
  inode.i_gid = static_cast<std::uint16_t>(attributes.gid);
  inode.osd2.linux2.l_i_gid_high = static_cast<std::uint16_t>(attributes.gid >> 16);
}

/// While it lives, a failure leaves the canvas in no defined state: commit() will refuse.
class HalfDone {
 public:
  explicit HalfDone(Volume::Impl& impl) : impl_(impl) { impl_.broken = true; }

  HalfDone(const HalfDone&) = delete;
  HalfDone& operator=(const HalfDone&) = delete;

  ~HalfDone() { impl_.broken = !finished_; }

  void finished() noexcept { finished_ = true; }

 private:
  Volume::Impl& impl_;
  bool finished_ = false;
};

[[nodiscard]] Result<> check_editable(const Volume::Impl& impl) {
  if (!impl.editable) return impl.refuse(Code::internal, "the volume was opened for reading only");
  if (impl.broken) return impl.refuse(Code::internal, "an earlier edit failed half-way");
  return {};
}

[[nodiscard]] Result<> check_name(const Volume::Impl& impl, std::string_view name) {
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

/// Blocks that a file of this many data blocks needs beside them, when it is not fragmented.
[[nodiscard]] blk64_t index_blocks(ext2_filsys fs, blk64_t data_blocks) {
  if (ext2fs_has_feature_extents(fs->super) || data_blocks <= EXT2_NDIR_BLOCKS) return 0;
  const blk64_t per_block = fs->blocksize / sizeof(std::uint32_t);
  const blk64_t leaves = (data_blocks - EXT2_NDIR_BLOCKS + per_block - 1) / per_block;
  return leaves == 1 ? 1 : leaves + 1 + leaves / per_block;
}

/// Asked before anything is touched, so that a full image is refused with what it lacks.
[[nodiscard]] Result<> check_room(const Volume::Impl& impl, blk64_t blocks, std::string_view name) {
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

/// The directory a new name goes into. Its inode is checked here because the library would take
/// anything whose blocks happen to look like entries.
[[nodiscard]] Result<> check_parent(Volume::Impl& impl, InodeNumber parent) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(parent));
  if (type_of(inode.base()) != NodeType::directory || inode.base().i_links_count == 0) {
    return impl.refuse(Code::invalid_input, fmt::format("inode {} is not a directory", parent));
  }
  return {};
}

[[nodiscard]] Result<> touch_directory(Volume::Impl& impl, InodeNumber directory) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(directory));
  set_times(inode, impl.now, {.modified = true, .changed = true});
  return impl.write_inode(directory, inode);
}

/// A new inode, in use, without blocks.
[[nodiscard]] Result<InodeNumber> new_file_inode(Volume::Impl& impl, InodeNumber parent,
                                                 std::uint64_t size_bytes,
                                                 const Attributes& attributes) {
  const ext2_filsys fs = impl.fs;
  ext2_ino_t number = 0;
  IMPRINT_TRY(impl.check(
      ext2fs_new_inode(fs, parent, mode_of(LINUX_S_IFREG, attributes), nullptr, &number)));
  FullInode inode(fs);
  ext2_inode& base = inode.base();
  base.i_mode = mode_of(LINUX_S_IFREG, attributes);
  base.i_links_count = 1;
  set_owner(base, attributes);
  IMPRINT_TRY(impl.check(ext2fs_inode_size_set(fs, &base, static_cast<ext2_off64_t>(size_bytes))));
  if (inode.has_extra()) {
    inode.large().i_extra_isize = sizeof(ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
  }
  set_times(inode, impl.now,
            {.modified = true, .changed = true, .accessed = true, .created = true});
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

[[nodiscard]] Result<> write_content(Volume::Impl& impl, InodeNumber number,
                                     const Content& content) {
  const ext2_filsys fs = impl.fs;
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  crypto::WipedBytes block(fs->blocksize);
  const std::uint64_t size = content.size_bytes();
  for (blk64_t logical = 0; logical * fs->blocksize < size; ++logical) {
    blk64_t physical = 0;
    IMPRINT_TRY(impl.check(
        ext2fs_bmap2(fs, number, &inode.base(), nullptr, BMAP_ALLOC, logical, nullptr, &physical)));
    const std::uint64_t offset = logical * fs->blocksize;
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(size - offset, block.size()));
    IMPRINT_TRY(content.read(offset, MutableBytes(block).first(length)));
    std::memset(block.data() + length, 0, block.size() - length);
    IMPRINT_TRY(impl.check(io_channel_write_blk64(fs->io, physical, 1, block.data())));
  }
  return {};
}

struct EntrySwitch {
  std::string_view name;
  ext2_ino_t to = 0;
  bool done = false;
};

int switch_entry(ext2_ino_t /*directory*/, int entry_kind, ext2_dir_entry* entry, int /*offset*/,
                 int /*block_size*/, char* /*block*/, void* data) {
  auto& change = *static_cast<EntrySwitch*>(data);
  const auto length = static_cast<std::size_t>(ext2fs_dirent_name_len(entry));
  if (entry_kind != DIRENT_OTHER_FILE || std::string_view(entry->name, length) != change.name) {
    return 0;
  }
  entry->inode = change.to;  // the file type beside it stays: a regular file replaces one
  change.done = true;
  return DIRENT_CHANGED | DIRENT_ABORT;
}

[[nodiscard]] Result<> replace_name(Volume::Impl& impl, InodeNumber directory,
                                    std::string_view name, InodeNumber to) {
  EntrySwitch change{.name = name, .to = to};
  IMPRINT_TRY(
      impl.check(ext2fs_dir_iterate2(impl.fs, directory, 0, nullptr, switch_entry, &change)));
  if (!change.done) return impl.refuse(Code::internal, "a directory entry has vanished");
  return {};
}

/// Calls `add` (which adds a name to the directory); when no block of the directory has room, gives
/// it one more and calls again.
template <class Add>
[[nodiscard]] Result<> with_room_in(Volume::Impl& impl, InodeNumber directory, Add add) {
  errcode_t code = add();
  if (code == EXT2_ET_DIR_NO_SPACE) {
    IMPRINT_TRY(impl.check(ext2fs_expand_dir(impl.fs, directory)));
    code = add();
  }
  return impl.check(code);
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
  IMPRINT_TRY(check_room(impl, 1, name));
  FullInode above = IMPRINT_TRY(impl.read_inode(parent));
  // One link means "too many to count" (dir_nlink); the library would count on from there.
  if (above.base().i_links_count < 2 || above.base().i_links_count >= EXT2_LINK_MAX - 1) {
    return impl.refuse(
        Code::image_full,
        fmt::format("no room for {}: its parent has too many subdirectories", quoted(name)));
  }

  HalfDone edit(impl);
  const std::string text(name);
  IMPRINT_TRY(
      with_room_in(impl, parent, [&] { return ext2fs_mkdir(impl.fs, parent, 0, text.c_str()); }));
  const std::optional<InodeNumber> made = IMPRINT_TRY(lookup(parent, name));
  if (!made) return impl.refuse(Code::internal, "a directory that was made is not there");
  FullInode inode = IMPRINT_TRY(impl.read_inode(*made));
  inode.base().i_mode = mode_of(LINUX_S_IFDIR, attributes);
  set_owner(inode.base(), attributes);
  set_times(inode, impl.now,
            {.modified = true, .changed = true, .accessed = true, .created = true});
  IMPRINT_TRY(impl.write_inode(*made, inode));
  IMPRINT_TRY(touch_directory(impl, parent));
  edit.finished();
  return *made;
}

Result<InodeNumber> Volume::write_file(InodeNumber parent, std::string_view name,
                                       const Content& content, const Attributes& attributes) {
  Impl& impl = *impl_;
  IMPRINT_TRY(check_editable(impl));
  IMPRINT_TRY(check_name(impl, name));
  IMPRINT_TRY(check_parent(impl, parent));
  const std::optional<InodeNumber> old = IMPRINT_TRY(lookup(parent, name));
  if (old) {
    const NodeInfo node = IMPRINT_TRY(stat(*old));
    if (node.type != NodeType::file) {
      return impl.refuse(Code::exists,
                         fmt::format("{} exists and is not a regular file", quoted(name)));
    }
  }
  const blk64_t blocks = (content.size_bytes() + impl.fs->blocksize - 1) / impl.fs->blocksize;
  IMPRINT_TRY(check_room(impl, blocks + index_blocks(impl.fs, blocks), name));

  HalfDone edit(impl);
  const InodeNumber made =
      IMPRINT_TRY(new_file_inode(impl, parent, content.size_bytes(), attributes));
  IMPRINT_TRY(write_content(impl, made, content));
  if (old) {
    IMPRINT_TRY(copy_attributes(impl, *old, made));
    IMPRINT_TRY(replace_name(impl, parent, name, made));
    IMPRINT_TRY(drop_link(impl, *old));
  } else {
    const std::string text(name);
    IMPRINT_TRY(with_room_in(impl, parent, [&] {
      return ext2fs_link(impl.fs, parent, text.c_str(), made, EXT2_FT_REG_FILE);
    }));
  }
  IMPRINT_TRY(touch_directory(impl, parent));
  edit.finished();
  return made;
}

Result<InodeNumber> Volume::make_symlink(InodeNumber /*parent*/, std::string_view /*name*/,
                                         std::string_view /*target*/,
                                         const Attributes& /*attributes*/) {
  return impl_->refuse(Code::unsupported, "symbolic links cannot be made yet");
}

Result<> Volume::remove(InodeNumber /*parent*/, std::string_view /*name*/) {
  return impl_->refuse(Code::unsupported, "files cannot be removed yet");
}

Result<> Volume::change_attributes(InodeNumber /*inode*/, const AttributeChange& /*change*/) {
  return impl_->refuse(Code::unsupported, "attributes cannot be changed yet");
}

Result<> Volume::set_extended_attribute(InodeNumber /*inode*/, const std::string& /*name*/,
                                        std::optional<ByteView> /*value*/) {
  return impl_->refuse(Code::unsupported, "extended attributes cannot be changed yet");
}

}  // namespace imprint::image
