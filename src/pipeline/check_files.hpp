#pragma once

#include <span>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::pipeline {

/// The check stage: the device files of an image, found by their paths through a fresh mount and
/// compared with what was meant: content, mode, owner, in every populated rootfs.
/// Code::check_failed names path and difference, never content.
Result<> check_device_files(image::FileSystems& file_systems,
                            std::span<const golden::DeviceFile> files,
                            std::span<const ByteView> contents);

}  // namespace imprint::pipeline
