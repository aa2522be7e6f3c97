// Extended attributes: in the inode, in a block that several inodes may share, or (ea_inode) in
// inodes of their own.
//
// The library does the layout. What it leaves to its callers is done here: an inode that is given
// up takes the counts of its value inodes with it, a block that has become empty is freed, and a
// block that others share is never changed when it leads to value inodes, whose counts the library
// would get wrong. Access control lists are handed on as they stand on the disk.

#include "ext2_attributes.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "ext2_attribute_layout.hpp"
#include "ext2_times.hpp"
#include "imprint/base/text.hpp"
#include "volume_edit.hpp"

namespace imprint::image {
namespace {

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

/// Where the library keeps the content of small files (inline_data): no attribute to anybody else.
constexpr std::string_view kInlineData = "system.data";

constexpr std::array<std::string_view, 3> kPrefixes{"user.", "trusted.", "security."};
constexpr std::array<std::string_view, 3> kSystemNames{
    "system.posix_acl_access", "system.posix_acl_default", "system.richacl"};

/// Names of other kinds have a number on the disk and no text (the context of an encrypted file).
[[nodiscard]] bool is_attribute_name(std::string_view name) {
  for (const std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix) && name.size() > prefix.size()) return true;
  }
  return std::ranges::find(kSystemNames, name) != kSystemNames.end();
}

int collect_attribute(char* name, char* value, std::size_t length, void* list) {
  if (name == kInlineData) return 0;
  const ByteView bytes(reinterpret_cast<const std::byte*>(value), length);
  static_cast<std::vector<ExtendedAttribute>*>(list)->push_back(
      {.name = name, .value = Bytes(bytes.begin(), bytes.end())});
  return 0;
}

/// Takes the block off the inode: one user less, and free without any.
[[nodiscard]] Result<> detach_block(Volume::Impl& impl, InodeNumber number) {
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  IMPRINT_TRY(impl.check(ext2fs_free_ext_attr(impl.fs, number, &inode.large())));
  return impl.write_inode(number, inode);
}

/// In a shared block the library would give up values that others still have.
[[nodiscard]] Result<> refuse_shared_values(Volume::Impl& impl, InodeNumber number) {
  const AttributeLayout layout = IMPRINT_TRY(attribute_layout(impl, number));
  if (!layout.is_shared || layout.block_value_clusters == 0) return {};
  return impl.refuse(
      Code::unsupported,
      fmt::format("inode {} shares large extended attributes with other files; replace the file",
                  number));
}

/// The library's part of storing (a value) or removing (none).
[[nodiscard]] Result<> put_attribute(Volume::Impl& impl, InodeNumber number,
                                     const std::string& name, std::optional<ByteView> value) {
  const XattrPtr handle = IMPRINT_TRY(open_attributes(impl, number));
  if (!value) return impl.check(ext2fs_xattr_remove(handle.get(), name.c_str()));
  // Setting writes through: nothing is left to be flushed by closing.
  const errcode_t code = ext2fs_xattr_set(handle.get(), name.c_str(), value->data(), value->size());
  if (code == EXT2_ET_EA_NO_SPACE) {
    return impl.refuse(Code::image_full,
                       fmt::format("no room for the extended attribute {} of {} bytes in inode {}",
                                   quoted(name), value->size(), number));
  }
  return impl.check(code);
}

/// An inode's count of blocks has those of its value inodes, which the library leaves out.
[[nodiscard]] Result<> count_values(Volume::Impl& impl, InodeNumber number, blk64_t before,
                                    blk64_t after) {
  if (before == after) return {};
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  IMPRINT_TRY(impl.check(after > before
                             ? ext2fs_iblk_add_blocks(impl.fs, &inode.base(), after - before)
                             : ext2fs_iblk_sub_blocks(impl.fs, &inode.base(), before - after)));
  return impl.write_inode(number, inode);
}

}  // namespace

Result<std::vector<ExtendedAttribute>> attributes_of(Volume::Impl& impl, InodeNumber number) {
  std::vector<ExtendedAttribute> list;
  if (ext2fs_has_feature_xattr(impl.fs->super) == 0) return list;
  const XattrPtr handle = IMPRINT_TRY(open_attributes(impl, number));
  IMPRINT_TRY(impl.check(ext2fs_xattrs_iterate(handle.get(), collect_attribute, &list)));
  return list;
}

Result<> store_attribute(Volume::Impl& impl, InodeNumber number, const std::string& name,
                         std::optional<ByteView> value) {
  IMPRINT_TRY(refuse_shared_values(impl, number));
  const AttributeLayout before = IMPRINT_TRY(attribute_layout(impl, number));
  IMPRINT_TRY(put_attribute(impl, number, name, value));
  const AttributeLayout after = IMPRINT_TRY(attribute_layout(impl, number));
  IMPRINT_TRY(count_values(impl, number, before.value_clusters(), after.value_clusters()));
  if (after.block != 0 && after.is_empty) return detach_block(impl, number);
  return {};
}

Result<> copy_attributes(Volume::Impl& impl, InodeNumber from, InodeNumber to) {
  const std::vector<ExtendedAttribute> list = IMPRINT_TRY(attributes_of(impl, from));
  for (const ExtendedAttribute& attribute : list) {
    if (is_bound_to_content(attribute.name)) continue;
    if (!is_attribute_name(attribute.name)) continue;
    IMPRINT_TRY(store_attribute(impl, to, attribute.name, attribute.value));
  }
  return {};
}

Result<> release_attributes(Volume::Impl& impl, InodeNumber number) {
  const AttributeLayout layout = IMPRINT_TRY(attribute_layout(impl, number));
  // What others share stays as it is, value inodes included: they count the block, not its users.
  if (layout.is_shared) IMPRINT_TRY(detach_block(impl, number));
  if (ext2fs_has_feature_ea_inode(impl.fs->super) != 0) {
    const std::vector<ExtendedAttribute> list = IMPRINT_TRY(attributes_of(impl, number));
    for (const ExtendedAttribute& attribute : list)
      IMPRINT_TRY(store_attribute(impl, number, attribute.name, std::nullopt));
  }
  // The inode is cleared next: its count of blocks is of no interest any more.
  FullInode inode = IMPRINT_TRY(impl.read_inode(number));
  if (ext2fs_file_acl_block(impl.fs, &inode.base()) == 0) return {};
  return detach_block(impl, number);
}

Result<std::vector<ExtendedAttribute>> Volume::extended_attributes(InodeNumber inode) const {
  return attributes_of(*impl_, inode);
}

Result<> Volume::set_extended_attribute(InodeNumber inode, const std::string& name,
                                        std::optional<ByteView> value) {
  Impl& impl = *impl_;
  IMPRINT_TRY(check_editable(impl));
  if (!is_attribute_name(name) || name.size() > EXT2_NAME_LEN ||
      name.find('\0') != std::string::npos) {
    return impl.refuse(Code::invalid_input,
                       fmt::format("{} is no name of an extended attribute; they begin with "
                                   "'user.', 'trusted.' or 'security.'",
                                   quoted(name)));
  }
  // The kernel, too, adds the feature with the first attribute.
  if (!value && ext2fs_has_feature_xattr(impl.fs->super) == 0) return {};

  HalfDone edit(impl);
  ext2fs_set_feature_xattr(impl.fs->super);
  IMPRINT_TRY(store_attribute(impl, inode, name, value));
  FullInode full = IMPRINT_TRY(impl.read_inode(inode));
  set_times(full, impl.now, {.changed = true});
  IMPRINT_TRY(impl.write_inode(inode, full));
  edit.finished();
  return {};
}

}  // namespace imprint::image
