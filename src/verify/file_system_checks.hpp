#pragma once

#include "findings.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// The image has a data partition, every ext file system in it is clean and consistent, and those
/// of data and roots can be opened by the engine that was chosen. False when nothing in it can be
/// looked at.
[[nodiscard]] bool check_file_systems(OpenImage& image, Findings& findings);

}  // namespace imprint::verify
