#pragma once

#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// Fills in Partition::sealed: file systems that a device checks against hashes (dm-verity) or that
/// say of themselves that they are never written.
[[nodiscard]] Result<> find_seals(const ImageReader& image, std::vector<Partition>& partitions);

}  // namespace imprint::image
