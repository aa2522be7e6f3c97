#include "device_layout.hpp"

#include <algorithm>
#include <string_view>

namespace imprint::pipeline {
namespace {

[[nodiscard]] bool writes_to_data(const manifest::Manifest& manifest) {
  const auto is_there = [](std::string_view path) { return path.starts_with("/data/"); };
  return is_there(manifest.identity.key_path) || is_there(manifest.identity.certificate_path) ||
         manifest.mender_conf.target != manifest::ConfTarget::rootfs ||
         std::ranges::any_of(manifest.files, is_there, &manifest::FileSpec::to);
}

}  // namespace

Result<image::Layout> layout_for(const image::FileImage& image,
                                 const manifest::Manifest& manifest) {
  image::Layout layout = IMPRINT_TRY(image::find_layout(image, manifest.layout));
  if (writes_to_data(manifest)) IMPRINT_TRY(image::data_partition(layout, image.path()));
  return layout;
}

}  // namespace imprint::pipeline
