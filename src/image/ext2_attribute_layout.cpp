// The places of extended attributes, which the library keeps to itself.

#include "ext2_attribute_layout.hpp"

#include <cstring>

#include <ext2fs/ext2_ext_attr.h>
#include <fmt/format.h>

namespace imprint::image {
namespace {

struct EntrySummary {
  bool is_empty = true;
  blk64_t value_clusters = 0;
};

/// Entries one after the other; a damaged one ends them, and is reported by who reads the values.
[[nodiscard]] EntrySummary summarize(const Volume::Impl& impl, ByteView entries) {
  const auto cluster =
      static_cast<std::uint64_t>(impl.fs->blocksize) * EXT2FS_CLUSTER_RATIO(impl.fs);
  EntrySummary summary;
  ext2_ext_attr_entry entry{};
  for (std::size_t at = 0; at + sizeof(entry) <= entries.size();
       at += EXT2_EXT_ATTR_LEN(entry.e_name_len)) {
    std::memcpy(&entry, entries.data() + at, sizeof(entry));
    if (EXT2_EXT_IS_LAST_ENTRY(&entry)) break;
    summary.is_empty = false;
    if (entry.e_value_inum == 0) continue;
    summary.value_clusters += (entry.e_value_size + cluster - 1) / cluster;
  }
  return summary;
}

}  // namespace

Result<AttributeLayout> attribute_layout(Volume::Impl& impl, InodeNumber number) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  AttributeLayout layout{.block = ext2fs_file_acl_block(impl.fs, &inode.base())};
  layout.inode_value_clusters = summarize(impl, inode_attributes(inode)).value_clusters;
  if (layout.block == 0) return layout;
  if (!impl.is_block_number(layout.block)) {
    return damaged(impl, fmt::format("inode {} claims block {} for its extended attributes, which "
                                     "does not exist",
                                     number, layout.block));
  }
  Bytes block(impl.fs->blocksize);
  IMPRINT_TRY(impl.check(ext2fs_read_ext_attr3(impl.fs, layout.block, block.data(), number)));
  ext2_ext_attr_header header{};
  std::memcpy(&header, block.data(), sizeof(header));
  const EntrySummary entries = summarize(impl, ByteView(block).subspan(sizeof(header)));
  layout.is_shared = header.h_refcount > 1;
  layout.is_empty = entries.is_empty;
  layout.block_value_clusters = entries.value_clusters;
  return layout;
}

ByteView inode_attributes(FullInode& inode) {
  if (!inode.has_extra()) return {};
  const auto* const start = reinterpret_cast<const std::byte*>(&inode.large());
  const ByteView whole(start, static_cast<std::size_t>(inode.size()));
  const std::size_t fields = std::size_t{EXT2_GOOD_OLD_INODE_SIZE} + inode.large().i_extra_isize;
  std::uint32_t magic = 0;
  if (fields + sizeof(magic) > whole.size()) return {};
  std::memcpy(&magic, whole.data() + fields, sizeof(magic));
  if (magic != EXT2_EXT_ATTR_MAGIC) return {};
  return whole.subspan(fields + sizeof(magic));
}

}  // namespace imprint::image
