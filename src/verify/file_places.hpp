#pragma once

#include <optional>
#include <vector>

#include "byte_ranges.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/tree.hpp"
#include "imprint/image/whereabouts.hpp"

namespace imprint::verify {

/// Where a file of an ext file system lies in the image, whoever has read it (another engine knows
/// no offsets): the file system is opened again. None for other file systems, of which nobody here
/// knows what lies where.
[[nodiscard]] Result<std::optional<image::FileRanges>> ranges_of(
    const image::ImageReader& bytes, const image::DeviceTree::Location& location);

/// The first so many bytes of a file's content.
[[nodiscard]] std::vector<image::DataRange> up_to(std::vector<image::DataRange> content,
                                                  std::uint64_t size_bytes);

}  // namespace imprint::verify
