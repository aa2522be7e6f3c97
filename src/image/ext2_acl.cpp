// Access control lists follow the permission bits: the kernel does that on chmod, and whoever makes
// a file 0600 means it.
//
// A list on the disk (fs/ext4/acl.h): a version, then entries of tag and permissions, those of a
// named user or group with its number; all little endian.

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "ext2_attributes.hpp"

namespace imprint::image {
namespace {

constexpr std::string_view kAclName = "system.posix_acl_access";
constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kShortBytes = 4;
constexpr std::size_t kLongBytes = 8;
constexpr std::size_t kPermissions = 2;  // where in an entry

constexpr unsigned kOwner = 0x01;
constexpr unsigned kNamedUser = 0x02;
constexpr unsigned kGroup = 0x04;
constexpr unsigned kNamedGroup = 0x08;
constexpr unsigned kMask = 0x10;
constexpr unsigned kOthers = 0x20;

/// Where the entry of this tag begins; none when the list has no such entry or makes no sense.
[[nodiscard]] std::optional<std::size_t> find_entry(const Bytes& list, unsigned tag) {
  std::size_t at = kHeaderBytes;
  while (at + kShortBytes <= list.size()) {
    const auto found = std::to_integer<unsigned>(list[at]);
    if (found == tag) return at;
    at += found == kNamedUser || found == kNamedGroup ? kLongBytes : kShortBytes;
  }
  return std::nullopt;
}

void set_permissions(Bytes& list, unsigned tag, unsigned permissions) {
  const auto at = find_entry(list, tag);
  if (at) list[*at + kPermissions] = static_cast<std::byte>(permissions & 7U);
}

}  // namespace

Result<> mode_into_acl(Volume::Impl& impl, InodeNumber number, unsigned mode) {
  std::vector<ExtendedAttribute> all = IMPRINT_TRY(attributes_of(impl, number));
  const auto found = std::ranges::find(all, kAclName, &ExtendedAttribute::name);
  if (found == all.end()) return {};
  Bytes& list = found->value;
  set_permissions(list, kOwner, mode >> 6);
  set_permissions(list, find_entry(list, kMask) ? kMask : kGroup, mode >> 3);
  set_permissions(list, kOthers, mode);
  return store_attribute(impl, number, found->name, list);
}

}  // namespace imprint::image
