#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "expect.hpp"
#include "imprint/base/bytes.hpp"
#include "imprint/image/decompress.hpp"

namespace imprint::fuzz {

/// The images of a folder of fixtures, in the order of their names, decompressed.
[[nodiscard]] inline std::vector<Bytes> seed_images(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".xz") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> images;
  for (const auto& path : paths) {
    const auto image = image::open_image(
        path, {.directory = image::temporary_directory(), .stop = nullptr, .tell = {}});
    expect(image.has_value(), "a seed can be read");
    Bytes& bytes = images.emplace_back(static_cast<std::size_t>(image->size_bytes()));
    expect(image->read(0, bytes).has_value(), "a seed can be read");
  }
  expect(!images.empty(), "there are seeds");
  return images;
}

}  // namespace imprint::fuzz
