#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/image/partition.hpp"

/// libblkid at the level of our verbs. Its probes are made per call, so everything here is
/// thread-safe.
namespace imprint::image {

struct FileSystemHint {
  std::string type;  ///< blkid's word, empty when nothing is recognised
  std::string label;
};

/// What lies in these bytes of the image.
[[nodiscard]] Result<FileSystemHint> probe_file_system(const FileImage& image,
                                                       std::uint64_t offset_bytes,
                                                       std::uint64_t size_bytes);

struct ProbedTable {
  std::string type;  ///< "dos", "gpt", or another that blkid knows ("mac", "bsd", ...)
  std::vector<Partition>
      partitions;  ///< of this table and its logical ones; no containers, no file systems yet
  std::vector<int> containers;  ///< numbers of the extended partitions
};

/// The table of a disk with sectors of this size; none when libblkid sees none.
[[nodiscard]] Result<std::optional<ProbedTable>> probe_table(const FileImage& image,
                                                             unsigned sector_bytes);

}  // namespace imprint::image
