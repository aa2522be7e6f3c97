#pragma once

#include <cstdint>

#include "imprint/base/result.hpp"
#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// Which of an inode's times to set.
struct TimeStamps {
  bool modified = false;
  bool changed = false;
  bool accessed = false;
  bool created = false;
};

/// Sets them to `now` (seconds since 1970), with the bits that go beyond 2038 where the inode has
/// them.
void set_times(FullInode& inode, std::int64_t now, TimeStamps which);

/// Gives `to` the extended attributes of `from`, except those that speak about the old content.
[[nodiscard]] Result<> copy_attributes(Volume::Impl& impl, InodeNumber from, InodeNumber to);

/// One name less for a regular file. With the last one its blocks are zeroed, to be freed at
/// commit, and its inode cleared.
[[nodiscard]] Result<> drop_link(Volume::Impl& impl, InodeNumber number);

/// Frees what drop_link has given up; the first step of a commit.
[[nodiscard]] Result<> free_released(Volume::Impl& impl);

}  // namespace imprint::image
