#pragma once

#include <atomic>

#include "console.hpp"
#include "imprint/image/decompress.hpp"

namespace imprint::cli {

/// How a command decompresses images: says so where somebody watches, since it may take a while.
/// The console outlives the result; the directory is the command's affair.
[[nodiscard]] image::Unpacking unpacking_for(Console& console,
                                             const std::atomic<bool>* stop = nullptr);

}  // namespace imprint::cli
