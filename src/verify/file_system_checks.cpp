#include "file_system_checks.hpp"

#include <fmt/format.h>

#include "imprint/image/consistency.hpp"

namespace imprint::verify {

namespace {

using Labels = std::vector<std::string>;

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
  const auto pass_over = [&](const image::Partition& partition, const Error& why) {
    passed_over.push_back(fmt::format("{} is not checked ({})",
                                      image.file_systems.label_of(partition), why.message()));
  };
  const std::size_t checked =
      IMPRINT_TRY(check_partitions(image.bytes, image.layout.partitions, pass_over));
  IMPRINT_TRY(open_roles(image, passed_over));
  std::string detail = fmt::format("{} ext, clean and consistent", checked);
  for (const std::string& label : passed_over)
    detail += "; " + label;
  return detail;
}

}  // namespace

Result<std::size_t> check_partitions(const image::ImageReader& bytes,
                                     std::span<const image::Partition> partitions,
                                     const PassOver& pass_over) {
  std::size_t count = 0;
  for (const image::Partition& partition : partitions) {
    if (!partition.file_system.starts_with("ext")) continue;
    auto sound = image::check_consistency(bytes, partition);
    if (sound) {
      ++count;
      continue;
    }
    if (sound.error().code != Code::unsupported) return fail(std::move(sound).error());
    if (pass_over) pass_over(partition, sound.error());
  }
  return count;
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
