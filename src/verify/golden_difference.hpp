#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "findings.hpp"
#include "identity.hpp"
#include "imprint/image/reader.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// The image differs from the golden image it was made from in nothing but its own files: key,
/// certificate, and `device_files` (paths on the device). Their inodes count as theirs, and where
/// they take other blocks than the placeholders did, so do the bitmaps and counts of their file
/// system. Golden images are in `.imprint` of a batch's output directory.
void check_golden(OpenImage& image, const Identity& identity,
                  const std::vector<std::string>& device_files, const image::FileImage& golden,
                  Findings& findings, const std::atomic<bool>& stop);

}  // namespace imprint::verify
