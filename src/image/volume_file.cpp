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
#include <vector>

#include <fmt/format.h>

#include "ext2_attributes.hpp"
#include "ext2_release.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/volume.hpp"
#include "volume_edit.hpp"
#include "volume_impl.hpp"

namespace imprint::image {
namespace {

/// Written at once.
constexpr std::uint64_t kPieceBytes = 256U << 10;

/// Flags that a person sets with chattr and that speak about the file, not about where it lies.
constexpr std::uint32_t kKeptFlags = EXT2_SECRM_FL | EXT2_UNRM_FL | EXT2_SYNC_FL |
                                     EXT2_IMMUTABLE_FL | EXT2_APPEND_FL | EXT2_NODUMP_FL |
                                     EXT2_NOATIME_FL | EXT4_PROJINHERIT_FL;

/// File blocks [first, end).
struct BlockSpan {
  blk64_t first = 0;
  blk64_t end = 0;
};

/// The blocks that the data of a content lies in, ascending and apart.
[[nodiscard]] Result<std::vector<BlockSpan>> data_spans(const Volume::Impl& impl,
                                                        const Content& content) {
  std::vector<BlockSpan> spans;
  const std::vector<DataRange> ranges = IMPRINT_TRY(content.data_ranges());
  for (const DataRange& range : ranges) {
    if (range.length_bytes == 0) continue;
    const BlockSpan span{range.offset / impl.fs->blocksize,
                         impl.blocks_of_size(range.offset + range.length_bytes)};
    if (!spans.empty() && span.first <= spans.back().end) {
      spans.back().end = std::max(spans.back().end, span.end);
    } else {
      spans.push_back(span);
    }
  }
  return spans;
}

/// Blocks that these need beside them, when the file is not fragmented.
[[nodiscard]] blk64_t index_blocks(ext2_filsys fs, const std::vector<BlockSpan>& spans) {
  if (ext2fs_has_feature_extents(fs->super)) return 0;
  const blk64_t per_block = fs->blocksize / sizeof(std::uint32_t);
  blk64_t leaves = 0;
  blk64_t next = 0;      // first leaf not counted yet
  bool is_deep = false;  // beyond the first leaf there is a block of leaves, and so on
  for (const BlockSpan& span : spans) {
    if (span.end <= EXT2_NDIR_BLOCKS) continue;
    const blk64_t first = std::max<blk64_t>(span.first, EXT2_NDIR_BLOCKS) - EXT2_NDIR_BLOCKS;
    const blk64_t last = (span.end - 1 - EXT2_NDIR_BLOCKS) / per_block;
    const blk64_t from = std::max(first / per_block, next);
    if (last >= from) leaves += last - from + 1;
    next = std::max(next, last + 1);
    is_deep = is_deep || last > 0;
  }
  return leaves + (is_deep ? 1 + leaves / per_block : 0);
}

/// With bigalloc whole clusters are taken.
[[nodiscard]] blk64_t needed_blocks(ext2_filsys fs, const std::vector<BlockSpan>& spans) {
  const auto ratio = static_cast<blk64_t>(EXT2FS_CLUSTER_RATIO(fs));
  blk64_t clusters = 0;
  blk64_t next = 0;
  for (const BlockSpan& span : spans) {
    const blk64_t first = std::max(span.first / ratio, next);
    const blk64_t end = (span.end + ratio - 1) / ratio;
    if (end > first) clusters += end - first;
    next = std::max(next, end);
  }
  return clusters * ratio + index_blocks(fs, spans);
}

/// A new file's blocks, and what goes into them. Neighbours are written together.
class ContentWriter {
 public:
  ContentWriter(Volume::Impl& impl, InodeNumber number, FullInode& inode, const Content& content)
      : impl_(impl),
        number_(number),
        inode_(inode),
        content_(content),
        most_(std::max<blk64_t>(1, kPieceBytes / impl.fs->blocksize)) {}

  [[nodiscard]] Result<> write(const BlockSpan& span) {
    for (blk64_t logical = span.first; logical < span.end; ++logical) {
      blk64_t physical = 0;
      IMPRINT_TRY(impl_.check(ext2fs_bmap2(impl_.fs, number_, &inode_.base(), nullptr, BMAP_ALLOC,
                                           logical, nullptr, &physical)));
      if (run_.blocks == most_ || run_.physical + run_.blocks != physical) IMPRINT_TRY(flush());
      if (run_.blocks == 0) run_ = {.logical = logical, .physical = physical};
      ++run_.blocks;
    }
    return flush();
  }

 private:
  [[nodiscard]] Result<> flush() {
    if (run_.blocks == 0) return {};
    const std::uint64_t offset = run_.logical * impl_.fs->blocksize;
    piece_.resize(static_cast<std::size_t>(run_.blocks * impl_.fs->blocksize));
    const auto length = static_cast<std::size_t>(
        std::min<std::uint64_t>(content_.size_bytes() - offset, piece_.size()));
    IMPRINT_TRY(content_.read(offset, MutableBytes(piece_).first(length)));
    std::memset(piece_.data() + length, 0, piece_.size() - length);
    IMPRINT_TRY(impl_.check(io_channel_write_blk64(impl_.fs->io, run_.physical,
                                                   static_cast<int>(run_.blocks), piece_.data())));
    run_ = {};
    return {};
  }

  Volume::Impl& impl_;
  InodeNumber number_;
  FullInode& inode_;
  const Content& content_;
  blk64_t most_;
  BlockRun run_;
  crypto::WipedBytes piece_;
};

[[nodiscard]] Result<> write_content(Volume::Impl& impl, InodeNumber number, const Content& content,
                                     const std::vector<BlockSpan>& spans) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  ContentWriter writer(impl, number, inode, content);
  for (const BlockSpan& span : spans)
    IMPRINT_TRY(writer.write(span));
  return {};
}

/// What the new file has of the old one beside its name.
[[nodiscard]] Result<> inherit(Volume::Impl& impl, InodeNumber from, InodeNumber to) {
  IMPRINT_TRY(copy_attributes(impl, from, to));
  FullInode old = IMPRINT_TRY(impl.read_inode(from));
  FullInode made = IMPRINT_TRY(impl.read_inode(to));
  made.base().i_flags |= old.base().i_flags & kKeptFlags;
  copy_project(impl, old, made);
  IMPRINT_TRY(impl.write_inode(to, made));
  return mode_into_acl(impl, to, made.base().i_mode);
}

[[nodiscard]] Result<> check_replaceable(Volume::Impl& impl, InodeNumber old,
                                         std::string_view name) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(old));
  if (type_of(inode.base()) != NodeType::file) {
    return impl.refuse(Code::exists,
                       fmt::format("{} exists and is not a regular file", quoted(name)));
  }
  if (old < EXT2_FIRST_INODE(impl.fs->super)) {
    return damaged(impl, fmt::format("{} leads to inode {}, which is the file system's own",
                                     quoted(name), old));
  }
  return {};
}

}  // namespace

Result<InodeNumber> Volume::write_file(InodeNumber parent, std::string_view name,
                                       const Content& content, const Attributes& attributes) {
  Impl& impl = *impl_;
  IMPRINT_TRY(check_editable(impl));
  IMPRINT_TRY(check_name(impl, name));
  IMPRINT_TRY(check_parent(impl, parent));
  const std::optional<InodeNumber> old = IMPRINT_TRY(lookup(parent, name));
  if (old) {
    IMPRINT_TRY(stat(*old));
    IMPRINT_TRY(check_replaceable(impl, *old, name));
  }
  const std::vector<BlockSpan> spans = IMPRINT_TRY(data_spans(impl, content));
  IMPRINT_TRY(check_room(impl, needed_blocks(impl.fs, spans), name));

  HalfDone edit(impl);
  const InodeNumber made =
      IMPRINT_TRY(new_inode(impl, parent, LINUX_S_IFREG, content.size_bytes(), attributes));
  IMPRINT_TRY(write_content(impl, made, content, spans));
  if (old) {
    IMPRINT_TRY(inherit(impl, *old, made));
    IMPRINT_TRY(switch_name(impl, parent, name, made));
    IMPRINT_TRY(drop_link(impl, *old));
  } else {
    IMPRINT_TRY(add_name(impl, parent, name, made, EXT2_FT_REG_FILE));
  }
  IMPRINT_TRY(touch_directory(impl, parent));
  edit.finished();
  return made;
}

}  // namespace imprint::image
