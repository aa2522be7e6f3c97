#pragma once

#include <span>

#include "findings.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// Every ext file system among the partitions is clean and consistent; those of kinds that are not
/// known here are passed over.
[[nodiscard]] Result<> check_partitions(const image::ImageReader& bytes,
                                        std::span<const image::Partition> partitions);

/// The image has a data partition, every ext file system in it is clean and consistent, and those
/// of data and roots can be opened by the engine that was chosen. False when nothing in it can be
/// looked at.
[[nodiscard]] bool check_file_systems(OpenImage& image, Findings& findings);

}  // namespace imprint::verify
