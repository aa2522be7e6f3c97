#include "ext2_release.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace imprint::image {
namespace {

/// Seconds beyond 32 bits, as ext4 keeps them in the low two bits of the *_extra fields.
[[nodiscard]] std::uint32_t epoch_bits(std::int64_t now) {
  const auto low = static_cast<std::int32_t>(static_cast<std::uint32_t>(now));
  return static_cast<std::uint32_t>((now - low) >> 32) & 3U;
}

struct XattrClose {
  void operator()(ext2_xattr_handle* handle) const noexcept { ext2fs_xattrs_close(&handle); }
};

using XattrPtr = std::unique_ptr<ext2_xattr_handle, XattrClose>;

[[nodiscard]] Result<XattrPtr> open_attributes(Volume::Impl& impl, InodeNumber number) {
  ext2_xattr_handle* raw = nullptr;
  IMPRINT_TRY(impl.check(ext2fs_xattrs_open(impl.fs, number, &raw)));
  XattrPtr handle(raw);
  // Raw: access control lists are copied as they stand, not translated.
  unsigned flags = XATTR_HANDLE_FLAG_RAW;
  IMPRINT_TRY(impl.check(ext2fs_xattrs_flags(raw, &flags, nullptr)));
  IMPRINT_TRY(impl.check(ext2fs_xattrs_read(raw)));
  return handle;
}

/// Attributes that describe the content they were made for: the kernel drops the first on every
/// write, and a signature of the old content would make the new one unreadable.
constexpr std::array<std::string_view, 3> kBoundToContent{"security.capability", "security.ima",
                                                          "security.evm"};

struct AttributeCopy {
  ext2_xattr_handle* to = nullptr;
  errcode_t code = 0;
};

int copy_attribute(char* name, char* value, std::size_t length, void* data) {
  auto& copy = *static_cast<AttributeCopy*>(data);
  for (const std::string_view bound : kBoundToContent) {
    if (bound == name) return 0;
  }
  copy.code = ext2fs_xattr_set(copy.to, name, value, length);
  return copy.code == 0 ? 0 : XATTR_ABORT;
}

int collect_block(ext2_filsys /*fs*/, blk64_t* block, e2_blkcnt_t /*logical*/,
                  blk64_t /*reference*/, int /*reference_offset*/, void* blocks) {
  static_cast<std::vector<blk64_t>*>(blocks)->push_back(*block);
  return 0;
}

/// Zeroes one block that a file has given up. It stays allocated until the commit, so that no later
/// write of the same edit gets it: what is new must lie where the old image had nothing, because an
/// edit in place writes there first and directly, and only the rest through its journal (redo.hpp).
[[nodiscard]] Result<> release_block(Volume::Impl& impl, InodeNumber owner, blk64_t block) {
  // The library would report a wrong number on stderr and go on.
  if (!impl.is_block_number(block) || ext2fs_test_block_bitmap2(impl.fs->block_map, block) == 0) {
    return impl.refuse(Code::corrupt, fmt::format("inode {} claims block {}, which is not in use; "
                                                  "repair the file system with 'e2fsck -f'",
                                                  owner, block));
  }
  IMPRINT_TRY(impl.check(io_channel_zeroout(impl.fs->io, block, 1)));
  impl.released.push_back(block);
  return {};
}

/// The block of extended attributes, which other files may share.
[[nodiscard]] Result<> release_attribute_block(Volume::Impl& impl, InodeNumber number,
                                               FullInode& inode) {
  const blk64_t block = ext2fs_file_acl_block(impl.fs, &inode.base());
  if (block == 0) return {};
  IMPRINT_TRY(impl.check(ext2fs_free_ext_attr(impl.fs, number, &inode.large())));
  if (ext2fs_test_block_bitmap2(impl.fs->block_map, block) != 0) return {};
  ext2fs_block_alloc_stats2(impl.fs, block, +1);  // until the commit, see release_block
  return release_block(impl, number, block);
}

}  // namespace

Result<> free_released(Volume::Impl& impl) {
  for (const blk64_t block : impl.released) {
    if (ext2fs_test_block_bitmap2(impl.fs->block_map, block) == 0) {
      return impl.refuse(
          Code::corrupt,
          fmt::format("two files claim block {}; repair the file system with 'e2fsck -f'", block));
    }
    ext2fs_block_alloc_stats2(impl.fs, block, -1);
  }
  impl.released.clear();
  return {};
}

void set_times(FullInode& inode, std::int64_t now, TimeStamps which) {
  const auto low = static_cast<std::uint32_t>(now);
  const std::uint32_t extra = epoch_bits(now);
  ext2_inode_large& large = inode.large();
  // Fields beyond i_extra_isize may be extended attributes: leave them alone.
  const std::size_t end =
      inode.has_extra() ? std::size_t{EXT2_GOOD_OLD_INODE_SIZE} + large.i_extra_isize : 0;
  const auto set = [&](bool wanted, std::uint32_t& seconds, std::uint32_t& more) {
    if (!wanted) return;
    const auto* start = reinterpret_cast<const char*>(&large);
    const auto reaches = [&](const std::uint32_t& field) {
      return reinterpret_cast<const char*>(&field + 1) <= start + end;
    };
    // Three of the times are in the old 128 bytes, the creation time is not.
    if (&seconds != &large.i_crtime || reaches(seconds)) seconds = low;
    if (reaches(more)) more = extra;
  };
  set(which.accessed, large.i_atime, large.i_atime_extra);
  set(which.changed, large.i_ctime, large.i_ctime_extra);
  set(which.modified, large.i_mtime, large.i_mtime_extra);
  set(which.created, large.i_crtime, large.i_crtime_extra);
}

Result<> copy_attributes(Volume::Impl& impl, InodeNumber from, InodeNumber to) {
  if (ext2fs_has_feature_xattr(impl.fs->super) == 0) return {};
  const XattrPtr old = IMPRINT_TRY(open_attributes(impl, from));
  std::size_t count = 0;
  IMPRINT_TRY(impl.check(ext2fs_xattrs_count(old.get(), &count)));
  if (count == 0) return {};
  const XattrPtr made = IMPRINT_TRY(open_attributes(impl, to));
  AttributeCopy copy{.to = made.get()};
  IMPRINT_TRY(impl.check(ext2fs_xattrs_iterate(old.get(), copy_attribute, &copy)));
  // Setting writes through: nothing is left to be flushed by closing.
  return impl.check(copy.code);
}

Result<> drop_link(Volume::Impl& impl, InodeNumber number) {
  const ext2_filsys fs = impl.fs;
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  if (inode.base().i_links_count > 1) {
    --inode.base().i_links_count;
    set_times(inode, impl.now, {.changed = true});
    return impl.write_inode(number, inode);
  }
  if (ext2fs_test_inode_bitmap2(fs->inode_map, number) == 0) {
    return impl.refuse(Code::corrupt,
                       fmt::format("inode {} is in a directory but not in use; repair the file "
                                   "system with 'e2fsck -f'",
                                   number));
  }

  std::vector<blk64_t> blocks;  // of content, and of the tree that leads to it
  IMPRINT_TRY(impl.check(
      ext2fs_block_iterate3(fs, number, BLOCK_FLAG_READ_ONLY, nullptr, collect_block, &blocks)));
  for (const blk64_t block : blocks)
    IMPRINT_TRY(release_block(impl, number, block));
  IMPRINT_TRY(release_attribute_block(impl, number, inode));

  // All of it, extended attributes included: e2fsck wants a time of deletion and nothing else.
  FullInode cleared(fs);
  cleared.base().i_generation = inode.base().i_generation;
  cleared.base().i_dtime = static_cast<std::uint32_t>(impl.now);
  IMPRINT_TRY(impl.write_inode(number, cleared));
  ext2fs_inode_alloc_stats2(fs, number, -1, 0);
  return {};
}

}  // namespace imprint::image
