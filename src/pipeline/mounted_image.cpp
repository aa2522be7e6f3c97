#include "mounted_image.hpp"

#include <fmt/format.h>

namespace imprint::pipeline {

Result<MountedImage> MountedImage::open(const image::ImageReader& reader,
                                        const image::Layout& layout) {
  MountedImage mounted;
  mounted.data_ =
      std::make_unique<image::Volume>(IMPRINT_TRY(image::Volume::open_read(reader, layout.data)));

  const auto add_rootfs = [&](std::string_view letter,
                              const image::Partition& partition) -> Result<> {
    auto volume = IMPRINT_TRY(image::Volume::open_read(reader, partition));
    mounted.rootfs_.push_back(std::make_unique<image::Volume>(std::move(volume)));
    mounted.roots_.push_back(
        {fmt::format("rootfs {} (partition {})", letter, partition.number), true,
         image::DeviceTree(mounted.rootfs_.back().get(), mounted.data_.get())});
    return {};
  };
  if (layout.rootfs_a && layout.rootfs_a_populated) IMPRINT_TRY(add_rootfs("A", *layout.rootfs_a));
  if (layout.rootfs_b && layout.rootfs_b_populated) IMPRINT_TRY(add_rootfs("B", *layout.rootfs_b));
  if (mounted.roots_.empty()) {
    mounted.roots_.push_back({fmt::format("data (partition {})", layout.data.number), false,
                              image::DeviceTree(nullptr, mounted.data_.get())});
  }
  return mounted;
}

}  // namespace imprint::pipeline
