#include "file_places.hpp"

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

}  // namespace imprint::verify
