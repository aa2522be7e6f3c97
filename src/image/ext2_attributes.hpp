#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// Without the one that holds the content of small files.
[[nodiscard]] Result<std::vector<ExtendedAttribute>> attributes_of(Volume::Impl& impl,
                                                                   InodeNumber number);

/// Sets one, or removes it when there is no value.
[[nodiscard]] Result<> store_attribute(Volume::Impl& impl, InodeNumber number,
                                       const std::string& name, std::optional<ByteView> value);

/// Gives `to` the extended attributes of `from`, except those that speak about the old content.
[[nodiscard]] Result<> copy_attributes(Volume::Impl& impl, InodeNumber from, InodeNumber to);

/// Brings the node's access control list, if it has one, in line with these permission bits, as
/// chmod does: the owner's, the mask's (or the group's, where there is no mask) and the others'.
[[nodiscard]] Result<> mode_into_acl(Volume::Impl& impl, InodeNumber number, unsigned mode);

/// Takes all of a node's extended attributes away, with the blocks and inodes that nobody else
/// uses. What lies in the inode itself is left to be cleared with it.
[[nodiscard]] Result<> release_attributes(Volume::Impl& impl, InodeNumber number);

}  // namespace imprint::image
