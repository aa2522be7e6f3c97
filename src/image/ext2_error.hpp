#pragma once

#include <ext2fs/ext2fs.h>

#include "imprint/base/result.hpp"

namespace imprint::image {

/// The one translator of the library's error codes: no room, damage, unsupported, or the system's
/// own reason. The library's text is kept; damage adds what to do about it. `code` is not 0.
[[nodiscard]] Error ext2_error(errcode_t code);

}  // namespace imprint::image
