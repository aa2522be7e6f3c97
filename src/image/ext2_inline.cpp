// Small files that lie in their inode (inline_data): the first 60 bytes where block numbers would
// be, the rest as the value of the extended attribute `system.data` behind the inode's fields.
//
// Read by hand and not with ext2fs_inline_data_get, which leaves copies in memory that it frees
// unwiped. Nothing is written in this form: a new file gets blocks, which every kernel reads.

#include "ext2_inline.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include <ext2fs/ext2_ext_attr.h>
#include <fmt/format.h>

#include "ext2_attribute_layout.hpp"

namespace imprint::image {
namespace {

constexpr int kSystemIndex = 7;  // of names that begin with `system.`
constexpr std::string_view kName = "data";

/// The value of `system.data` in the inode; empty when there is none.
[[nodiscard]] ByteView inline_rest(FullInode& inode) {
  const ByteView area = inode_attributes(inode);
  ext2_ext_attr_entry entry{};
  for (std::size_t at = 0; at + sizeof(entry) <= area.size();) {
    std::memcpy(&entry, area.data() + at, sizeof(entry));
    if (EXT2_EXT_IS_LAST_ENTRY(&entry)) return {};
    const ByteView name = area.subspan(at + sizeof(entry));
    if (entry.e_name_len > name.size()) return {};
    if (entry.e_name_index == kSystemIndex && entry.e_value_inum == 0 &&
        text_of(name.first(entry.e_name_len)) == kName) {
      const std::size_t offset = entry.e_value_offs;
      if (offset > area.size() || entry.e_value_size > area.size() - offset) return {};
      return area.subspan(offset, entry.e_value_size);
    }
    at += EXT2_EXT_ATTR_LEN(entry.e_name_len);
  }
  return {};
}

}  // namespace

Result<crypto::WipedBytes> inline_content(Volume::Impl& impl, InodeNumber number,
                                          FullInode& inode) {
  const ByteView first = std::as_bytes(std::span(inode.base().i_block));
  const ByteView rest = inline_rest(inode);
  const std::uint64_t size = size_of(inode.base());
  if (size > first.size() + rest.size()) {
    return damaged(impl, fmt::format("inode {} holds less than its size says", number));
  }
  crypto::WipedBytes content(first.begin(), first.end());
  content.insert(content.end(), rest.begin(), rest.end());
  content.resize(static_cast<std::size_t>(size));
  return content;
}

}  // namespace imprint::image
