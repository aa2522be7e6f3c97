#pragma once

#include <span>
#include <string>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::golden {

/// Does to one device's file systems, of whatever kind, what a golden image and an overlay come to:
/// all of the recipe, with `contents` (one for each device file) instead of placeholders. Returns
/// notes on what was replaced or left alone. Does not commit; on failure the image is to be thrown
/// away.
Result<std::vector<std::string>> apply(image::FileSystems& file_systems, Recipe recipe,
                                       std::span<const ByteView> contents);

}  // namespace imprint::golden
