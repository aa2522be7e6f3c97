#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "ext2_inline.hpp"
#include "ext2_times.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/volume.hpp"
#include "volume_edit.hpp"
#include "volume_impl.hpp"

namespace imprint::image {
namespace {

struct Names {
  std::vector<std::string> names;
  std::vector<InodeNumber> inodes;
};

int collect_name(ext2_ino_t /*directory*/, int /*entry_kind*/, ext2_dir_entry* entry,
                 int /*offset*/, int /*block_size*/, char* /*block*/, void* data) {
  if (is_own_name(name_of(*entry))) return 0;
  auto& found = *static_cast<Names*>(data);
  found.names.emplace_back(name_of(*entry));
  found.inodes.push_back(entry->inode);
  return 0;
}

/// Files may have several names, directories not: with two names in each of forty levels a walk
/// through the tree would have no end.
Result<> check_single_names(Volume::Impl& impl, InodeNumber directory,
                            std::vector<InodeNumber> inodes) {
  std::ranges::sort(inodes);
  for (auto at = inodes.begin();;) {
    at = std::ranges::adjacent_find(at, inodes.end());
    if (at == inodes.end()) return {};
    const InodeNumber twice = *at;
    FullInode inode = IMPRINT_TRY(impl.read_inode(twice));
    if (type_of(inode.base()) == NodeType::directory) {
      return damaged(impl, fmt::format("the directory in inode {} has two names in the one in "
                                       "inode {}",
                                       twice, directory));
    }
    at = std::upper_bound(at, inodes.end(), twice);
  }
}

/// What a directory says it is in.
Result<> check_parent_of(Volume::Impl& impl, InodeNumber directory, InodeNumber parent) {
  ext2_ino_t above = 0;
  const errcode_t code = ext2fs_lookup(impl.fs, directory, "..", 2, nullptr, &above);
  if (code != EXT2_ET_FILE_NOT_FOUND) IMPRINT_TRY(impl.check(code));
  if (above == parent) return {};
  return damaged(impl, fmt::format("the directory in inode {} was found in inode {}, but says that "
                                   "it is in another",
                                   directory, parent));
}

/// Read at once.
constexpr std::uint64_t kPieceBytes = 256U << 10;

/// Content goes through our own wiped memory: the library's file objects keep it in buffers that
/// they free as they are, and the content may be a private key.
Result<> read_runs(Volume::Impl& impl, InodeNumber number, ext2_inode& inode,
                   const ContentSink& sink) {
  const std::uint64_t size = size_of(inode);
  const std::vector<BlockRun> runs = IMPRINT_TRY(impl.map_blocks(number, inode));
  crypto::WipedBytes piece;
  for (const BlockRun& run : runs) {
    if (run.unwritten) continue;
    const std::uint64_t start = run.logical * impl.fs->blocksize;
    const std::uint64_t end =
        std::min<std::uint64_t>(size, start + run.blocks * impl.fs->blocksize);
    for (std::uint64_t at = start; at < end; at += kPieceBytes) {
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(end - at, kPieceBytes)));
      IMPRINT_TRY(impl.image.read(impl.image_offset_of(run.physical) + (at - start), piece)
                      .context(impl.described()));
      IMPRINT_TRY(sink(at, piece));
    }
  }
  return {};
}

Result<> read_any(Volume::Impl& impl, InodeNumber number, FullInode& inode,
                  const ContentSink& sink) {
  if ((inode.base().i_flags & EXT4_ENCRYPT_FL) != 0) {
    return impl.refuse(
        Code::unsupported,
        fmt::format("inode {} is encrypted; it can be read on the device only", number));
  }
  if ((inode.base().i_flags & EXT4_INLINE_DATA_FL) != 0) {
    const crypto::WipedBytes content = IMPRINT_TRY(inline_content(impl, number, inode));
    return content.empty() ? Result<>() : sink(0, content);
  }
  return read_runs(impl, number, inode.base(), sink);
}

Result<crypto::WipedBytes> content_of(Volume::Impl& impl, InodeNumber number, FullInode& inode) {
  crypto::WipedBytes content(static_cast<std::size_t>(size_of(inode.base())));
  IMPRINT_TRY(read_any(impl, number, inode, [&content](std::uint64_t offset, ByteView bytes) {
    std::ranges::copy(bytes, content.begin() + static_cast<std::ptrdiff_t>(offset));
    return Result<>();
  }));
  return content;
}

struct FoldedLookup {
  std::string_view name;
  ext2_ino_t found = 0;
};

int match_folded(ext2_ino_t /*directory*/, int /*entry_kind*/, ext2_dir_entry* entry,
                 int /*offset*/, int /*block_size*/, char* /*block*/, void* data) {
  auto& lookup = *static_cast<FoldedLookup*>(data);
  const std::string_view name = name_of(*entry);
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (!std::ranges::equal(name, lookup.name, {}, lower, lower)) return 0;
  lookup.found = entry->inode;
  return DIRENT_ABORT;
}

/// In a directory that ignores case a name may be there in another spelling. Of ASCII letters only:
/// nothing is ever written to such a directory, so the worst is a file that is not found.
Result<std::optional<InodeNumber>> lookup_folded(Volume::Impl& impl, InodeNumber directory,
                                                 std::string_view name) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(directory));
  if ((inode.base().i_flags & EXT4_CASEFOLD_FL) == 0) return std::optional<InodeNumber>();
  FoldedLookup lookup{.name = name};
  IMPRINT_TRY(
      impl.check(ext2fs_dir_iterate2(impl.fs, directory, 0, nullptr, match_folded, &lookup)));
  if (lookup.found == 0) return std::optional<InodeNumber>();
  return std::optional<InodeNumber>(lookup.found);
}

}  // namespace

Result<NodeInfo> Volume::stat(InodeNumber inode) const {
  FullInode full = IMPRINT_TRY(impl_->read_inode(inode));
  const ext2_inode& base = full.base();
  if (base.i_links_count == 0) {
    return damaged(*impl_, fmt::format("inode {} is in a directory but not in use", inode));
  }
  const InodeTimes times = times_of(full);
  return NodeInfo{
      .inode = inode,
      .type = type_of(base),
      .mode = base.i_mode & 07777U,
      .uid = base.i_uid | (static_cast<unsigned>(base.osd2.linux2.l_i_uid_high) << 16),
      .gid = base.i_gid | (static_cast<unsigned>(base.osd2.linux2.l_i_gid_high) << 16),
      .size_bytes = size_of(base),
      .links = base.i_links_count,
      .modified = times.modified,
      .accessed = times.accessed,
      .changed = times.changed,
  };
}

Result<std::optional<InodeNumber>> Volume::lookup(InodeNumber directory,
                                                  std::string_view name) const {
  if (name.empty() || name.size() > EXT2_NAME_LEN) return std::optional<InodeNumber>();
  IMPRINT_TRY(check_directory(*impl_, directory));
  ext2_ino_t found = 0;
  const errcode_t code = ext2fs_lookup(impl_->fs, directory, name.data(),
                                       static_cast<int>(name.size()), nullptr, &found);
  if (code == EXT2_ET_FILE_NOT_FOUND) return lookup_folded(*impl_, directory, name);
  IMPRINT_TRY(impl_->check(code));
  return std::optional<InodeNumber>(found);
}

Result<std::vector<std::string>> Volume::list(InodeNumber directory,
                                              std::optional<InodeNumber> parent) const {
  IMPRINT_TRY(check_directory(*impl_, directory));
  if (parent) IMPRINT_TRY(check_parent_of(*impl_, directory, *parent));
  Names found;
  IMPRINT_TRY(
      impl_->check(ext2fs_dir_iterate2(impl_->fs, directory, 0, nullptr, collect_name, &found)));
  for (const std::string& name : found.names) {
    // Who copies a tree out of the image must not be led elsewhere by such a name.
    if (name.empty() || name.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      return damaged(*impl_, fmt::format("the directory in inode {} has the impossible name {}",
                                         directory, quoted(name)));
    }
  }
  IMPRINT_TRY(check_single_names(*impl_, directory, std::move(found.inodes)));
  std::sort(found.names.begin(), found.names.end());
  return std::move(found.names);
}

Result<crypto::WipedBytes> Volume::read_file(InodeNumber inode, std::uint64_t limit_bytes) const {
  FullInode full = IMPRINT_TRY(impl_->read_inode(inode));
  if (type_of(full.base()) != NodeType::file) {
    return impl_->refuse(Code::invalid_input, "not a regular file");
  }
  if (const std::uint64_t size = size_of(full.base()); size > limit_bytes) {
    return impl_->refuse(
        Code::invalid_input,
        fmt::format("the file has {} bytes; at most {} are read", size, limit_bytes));
  }
  return content_of(*impl_, inode, full);
}

Result<> Volume::read_content(InodeNumber inode, const ContentSink& sink) const {
  FullInode full = IMPRINT_TRY(impl_->read_inode(inode));
  if (type_of(full.base()) != NodeType::file) {
    return impl_->refuse(Code::invalid_input, "not a regular file");
  }
  return read_any(*impl_, inode, full, sink);
}

Result<std::string> Volume::read_link(InodeNumber inode) const {
  FullInode full = IMPRINT_TRY(impl_->read_inode(inode));
  if (type_of(full.base()) != NodeType::symlink) {
    return impl_->refuse(Code::invalid_input, "not a symbolic link");
  }
  const std::uint64_t size = size_of(full.base());
  const bool is_encrypted = (full.base().i_flags & EXT4_ENCRYPT_FL) != 0;
  if (!is_encrypted && ext2fs_is_fast_symlink(&full.base()) != 0) {
    std::string target(static_cast<std::size_t>(size), '\0');
    std::memcpy(target.data(), full.base().i_block, target.size());
    return target;
  }
  if (size == 0 || size >= impl_->fs->blocksize) {
    return damaged(*impl_, fmt::format("the symbolic link in inode {} has an impossible length {}",
                                       inode, size));
  }
  const crypto::WipedBytes content = IMPRINT_TRY(content_of(*impl_, inode, full));
  return std::string(text_of(content));
}

}  // namespace imprint::image
