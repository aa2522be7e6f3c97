#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/decompress.hpp"
#include "imprint/image/file_systems.hpp"
#include "imprint/image/partition.hpp"

namespace imprint::handshake {

struct StoredDevice {
  fs::path store;
  std::string id;
  std::optional<fs::path> base;  ///< where the base image is now; none: where the batch found it
  image::LayoutChoice layout;
  image::Unpacking unpacking;  ///< for a compressed base
};

/// One device of an overlay store as the image that it would be, in memory alone. One thread at a
/// time.
class StoredImage {
 public:
  struct Impl;

  /// Code::not_found for an id that the store does not have; Code::invalid_input for a base image
  /// that is another one.
  static Result<StoredImage> open(const StoredDevice& device);
  StoredImage(StoredImage&&) noexcept;
  StoredImage& operator=(StoredImage&&) noexcept;
  StoredImage(const StoredImage&) = delete;
  StoredImage& operator=(const StoredImage&) = delete;
  ~StoredImage();

  [[nodiscard]] std::vector<image::FileSystems::Root>& roots() noexcept;

 private:
  explicit StoredImage(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace imprint::handshake
