#pragma once

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// Whether a block map (bmap format 1.3 or 2.0, as bmaptool reads them) is that of this image:
/// well-formed, with the right checksum of its own, sizes and counts, each range's checksum right,
/// and only zeros outside of the ranges. What differs is Code::check_failed; a file that is no
/// block map, or longer than 64 MiB, too; a version or kind of checksum that is not known is
/// Code::unsupported. Reads all data of the image once, by several threads; holes are not read.
[[nodiscard]] Result<> check_bmap(const FileImage& image, const fs::path& bmap);

}  // namespace imprint::image
