#pragma once

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// How the extended attributes of an inode lie on the disk.
struct AttributeLayout {
  blk64_t block = 0;       ///< of their own, 0 when there is none
  bool is_shared = false;  ///< the block, with other inodes
  bool is_empty = false;   ///< the block
  /// Clusters of the values that have inodes of their own (ea_inode).
  blk64_t block_value_clusters = 0;
  blk64_t inode_value_clusters = 0;

  [[nodiscard]] blk64_t value_clusters() const noexcept {
    return block_value_clusters + inode_value_clusters;
  }
};

[[nodiscard]] Result<AttributeLayout> attribute_layout(Volume::Impl& impl, InodeNumber number);

/// The attributes in the inode itself, their first entry first; offsets of values count from there.
/// Empty when there are none.
[[nodiscard]] ByteView inode_attributes(FullInode& inode);

}  // namespace imprint::image
