#pragma once

#include "imprint/base/result.hpp"
#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// Gives `to` the extended attributes of `from`, except those that speak about the old content.
[[nodiscard]] Result<> copy_attributes(Volume::Impl& impl, InodeNumber from, InodeNumber to);

/// Takes all of a node's extended attributes away, with the blocks and inodes that nobody else
/// uses. What lies in the inode itself is left to be cleared with it.
[[nodiscard]] Result<> release_attributes(Volume::Impl& impl, InodeNumber number);

}  // namespace imprint::image
