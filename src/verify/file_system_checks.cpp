#include "file_system_checks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/image/consistency.hpp"

namespace imprint::verify {

namespace {

using Labels = std::vector<std::string>;

/// What a kind is beyond cannot be judged here: the verdict says so, and an engine may know it.
Result<> check_one(const OpenImage& image, const image::Partition& partition, Labels& passed_over) {
  auto sound = image::check_consistency(image.bytes, partition);
  if (sound || sound.error().code != Code::unsupported) return sound;
  passed_over.push_back(fmt::format(
      "{} is not checked ({})", image.file_systems.label_of(partition), sound.error().message()));
  return {};
}

/// Opens what the device will mount. A root of a kind that cannot be read here (squashfs) may still
/// lead to data.
Result<> open_roles(OpenImage& image, Labels& passed_over) {
  const image::Layout& layout = image.layout;
  if (layout.data) IMPRINT_TRY(image.file_systems.at(layout.data->number));
  for (const auto& role : {layout.rootfs_a, layout.rootfs_b}) {
    if (!role) continue;
    const auto opened = image.file_systems.at(role->number);
    if (opened) continue;
    if (opened.error().code != Code::unsupported) return fail(opened.error());
    passed_over.push_back(fmt::format("{} is not looked into ({})",
                                      image.file_systems.label_of(*role),
                                      opened.error().message()));
  }
  return {};
}

Result<std::string> judge(OpenImage& image) {
  Labels passed_over;
  std::size_t checked = 0;
  for (const image::Partition& partition : image.layout.partitions) {
    if (!partition.file_system.starts_with("ext")) continue;
    IMPRINT_TRY(check_one(image, partition, passed_over));
    ++checked;
  }
  IMPRINT_TRY(open_roles(image, passed_over));
  std::string detail = fmt::format("{} ext, clean and consistent", checked);
  for (const std::string& label : passed_over)
    detail += "; " + label;
  return detail;
}

}  // namespace

Result<> check_partitions(const image::ImageReader& bytes,
                          std::span<const image::Partition> partitions) {
  for (const image::Partition& partition : partitions) {
    if (!partition.file_system.starts_with("ext")) continue;
    auto sound = image::check_consistency(bytes, partition);
    if (!sound && sound.error().code != Code::unsupported) return sound;
  }
  return {};
}

bool check_file_systems(OpenImage& image, Findings& findings) {
  const auto data = image::data_partition(image.layout, image.file.path());
  if (!data) {
    findings.failed(check::kPartitions, data.error().message());
    return false;
  }
  findings.passed(check::kPartitions, fmt::format("{} partitions, data is partition {}",
                                                  image.layout.partitions.size(), data->number));
  const auto sound = judge(image);
  if (!sound) {
    findings.failed(check::kFileSystems, sound.error().message());
    return false;
  }
  findings.passed(check::kFileSystems, *sound);
  return true;
}

}  // namespace imprint::verify
