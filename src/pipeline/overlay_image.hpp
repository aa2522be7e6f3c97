#pragma once

#include "imprint/base/result.hpp"
#include "imprint/golden/overlay.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/patch.hpp"

namespace imprint::pipeline {

/// One device's image in memory: base + golden patch + overlay. `base` outlives the result.
[[nodiscard]] Result<image::Canvas> overlaid(const image::ImageReader& base,
                                             const image::Patch& golden,
                                             const golden::Overlay& overlay);

}  // namespace imprint::pipeline
