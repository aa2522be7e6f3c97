#pragma once

#include "imprint/base/result.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::pipeline {

/// The layout of the image, with what the manifest says about it. Code::invalid_input, with what
/// the image has instead, when the manifest writes to /data and there is no data partition.
[[nodiscard]] Result<image::Layout> layout_for(const image::FileImage& image,
                                               const manifest::Manifest& manifest);

}  // namespace imprint::pipeline
