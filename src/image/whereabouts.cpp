#include "imprint/image/whereabouts.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

[[nodiscard]] bool holds(const Partition& partition, std::uint64_t offset) noexcept {
  return offset >= partition.offset_bytes && offset - partition.offset_bytes < partition.size_bytes;
}

/// Between partitions, before or behind them.
[[nodiscard]] Whereabouts outside(std::span<const Partition> partitions, std::uint64_t offset) {
  const Partition* before = nullptr;
  const Partition* after = nullptr;
  for (const Partition& partition : partitions) {
    if (partition.offset_bytes > offset) {
      if (after == nullptr || partition.offset_bytes < after->offset_bytes) after = &partition;
    } else if (before == nullptr || partition.offset_bytes > before->offset_bytes) {
      before = &partition;
    }
  }
  std::string text = "no partition";
  if (before != nullptr && after != nullptr) {
    text = fmt::format("the gap between partitions {} and {}", before->number, after->number);
  } else if (after != nullptr) {
    text = fmt::format("the space of the partition table, before partition {}", after->number);
  } else if (before != nullptr) {
    text = fmt::format("the space behind partition {}, the last", before->number);
  }
  return {.place = Place::outside_partitions, .text = std::move(text)};
}

[[nodiscard]] std::string name_of_content(const Partition& partition) {
  const std::string label =
      partition.label.empty() ? "" : fmt::format(" ({})", quoted(partition.label));
  return fmt::format(
      "partition {}{}, which holds {}", partition.number, label,
      partition.file_system.empty() ? "no file system" : quoted(partition.file_system));
}

}  // namespace

Result<Whereabouts> whereabouts(const ImageReader& image, std::span<const Partition> partitions,
                                std::uint64_t image_offset) {
  const auto partition =
      std::find_if(partitions.begin(), partitions.end(),
                   [&](const Partition& one) { return holds(one, image_offset); });
  if (partition == partitions.end()) return outside(partitions, image_offset);
  if (!partition->file_system.starts_with("ext")) {
    return Whereabouts{.place = Place::other_partition, .text = name_of_content(*partition)};
  }
  const auto unreadable = [&](const Error& error) {
    return Whereabouts{.place = Place::other_partition,
                       .text = fmt::format("{}; where in it cannot be said: {}",
                                           name_of_content(*partition), error.message())};
  };
  const Result<VolumeMap> map = VolumeMap::open(image, *partition);
  if (!map) return unreadable(map.error());
  Result<Whereabouts> found = map->at(image_offset);
  if (!found) return unreadable(found.error());
  return found;
}

}  // namespace imprint::image
