#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/image/tree.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::pipeline {

/// An image opened for reading as its device would see it: one tree per populated rootfs, all over
/// the same data volume. Without a readable rootfs there is one tree that knows /data only. The
/// reader outlives it. One thread at a time.
class MountedImage {
 public:
  static Result<MountedImage> open(const image::ImageReader& reader, const image::Layout& layout);

  struct Root {
    std::string name;  ///< "rootfs A (partition 2)"; "data (partition 4)" when there is no rootfs
    bool has_rootfs = false;
    image::DeviceTree tree;
  };

  [[nodiscard]] std::vector<Root>& roots() noexcept { return roots_; }

 private:
  std::unique_ptr<image::Volume> data_;
  std::vector<std::unique_ptr<image::Volume>> rootfs_;
  std::vector<Root> roots_;
};

}  // namespace imprint::pipeline
