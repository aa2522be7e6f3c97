#pragma once

#include "imprint/base/result.hpp"
#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// One name less for what is no directory. With the last one its blocks are zeroed, to be freed at
/// commit, and its inode cleared.
[[nodiscard]] Result<> drop_link(Volume::Impl& impl, InodeNumber number);

/// The same for a directory that is empty and has lost its name.
[[nodiscard]] Result<> drop_directory(Volume::Impl& impl, InodeNumber number);

/// From now on a block that the library frees is zeroed and kept until the commit, like those that
/// drop_link gives up.
void hold_back_freed(Volume::Impl& impl);

/// Frees what was given up; the first step of a commit.
[[nodiscard]] Result<> free_released(Volume::Impl& impl);

}  // namespace imprint::image
