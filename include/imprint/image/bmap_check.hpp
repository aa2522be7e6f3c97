#pragma once

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// Whether a block map (bmap format 1.3 to 2.0, as bmaptool reads it) is that of this image:
/// well-formed, with the right checksum of its own, sizes and counts, each range's checksum right,
/// and only zeros outside of the ranges. What differs is Code::check_failed, as is a file that is
/// no block map; a version or type of checksum that is not known is Code::unsupported; a missing
/// file, or one of more than 64 MiB, is what read_file says. Reads all data of the image once, by
/// several threads; holes outside of the ranges are not read.
[[nodiscard]] Result<> check_bmap(const FileImage& image, const fs::path& bmap);

}  // namespace imprint::image
