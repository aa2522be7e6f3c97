#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/image/file_systems.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::verify {

/// An image while it is checked. Everything it refers to belongs to whoever opened it.
struct OpenImage {
  /// Bytes that stand over those of `file`.
  struct Layer {
    std::uint64_t offset = 0;
    ByteView bytes;
  };

  const image::ImageReader& bytes;
  /// The image's file; of a device in an overlay store the base image's.
  const image::FileImage& file;
  std::vector<Layer> layers;  ///< of a device in an overlay store; `bytes` is `file` without them
  const image::Layout& layout;
  image::FileSystems& file_systems;
  std::vector<image::FileSystems::Root>& roots;

  [[nodiscard]] bool is_overlaid() const noexcept { return !layers.empty(); }
};

/// How checks name a root where there is more than one: "rootfs A (partition 2): ".
[[nodiscard]] inline std::string prefix_of(const OpenImage& image,
                                           const image::FileSystems::Root& root) {
  return image.roots.size() > 1 ? root.label + ": " : std::string();
}

/// The same before a finding about a path: none where all roots have the same file.
[[nodiscard]] inline std::string prefix_of(const OpenImage& image,
                                           const image::FileSystems::Root& root,
                                           std::string_view path) {
  return path.starts_with("/data/") ? std::string() : prefix_of(image, root);
}

}  // namespace imprint::verify
