#pragma once

#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::guestfs {

/// Who opens the file systems of an image.
enum class Engine {
  automatic,  ///< this process; an appliance for those that it has no code for
  native,     ///< this process alone: ext2, ext3, ext4 and FAT
  guestfs,    ///< a Linux kernel in libguestfs's appliance, for all of them
};

/// `auto`, `native` or `guestfs`.
[[nodiscard]] Result<Engine> parse_engine(std::string_view word);

}  // namespace imprint::guestfs
