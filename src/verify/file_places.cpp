#include "file_places.hpp"

#include <algorithm>

#include "imprint/image/file_systems.hpp"

namespace imprint::verify {

Result<std::optional<image::FileRanges>> ranges_of(const image::ImageReader& bytes,
                                                   const image::DeviceTree::Location& location) {
  const image::Partition& partition = location.file_system->partition();
  if (!partition.file_system.starts_with("ext")) return std::optional<image::FileRanges>();
  const auto source = image::read_natively(bytes);
  const auto file_system = IMPRINT_TRY(source->open(partition));
  const auto node = IMPRINT_TRY(file_system->find(location.path));
  if (!node) return fail(Code::check_failed, location.path + " is not there when read again");
  const auto map = IMPRINT_TRY(image::VolumeMap::open(bytes, partition));
  return std::optional(IMPRINT_TRY(map.file_ranges(node->inode)));
}

std::vector<image::DataRange> up_to(std::vector<image::DataRange> content,
                                    std::uint64_t size_bytes) {
  for (image::DataRange& range : content) {
    range.length_bytes = std::min(range.length_bytes, size_bytes);
    size_bytes -= range.length_bytes;
  }
  return content;
}

}  // namespace imprint::verify
