#pragma once

#include <cstdint>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::image {

enum class CloneMethod { reflink, sparse_copy };

/// Makes `to` (empty, just created) a copy of `from`: shares extents where the file system can
/// (FICLONE), else copies data and keeps holes (SEEK_DATA/SEEK_HOLE, copy_file_range, read/write as
/// last resort; runs of zeros in the data become holes as with cp --sparse=always).
/// `prefer_reflink` false skips the try. No sync.
Result<CloneMethod> clone(const File& from, File& to, bool prefer_reflink = true);

/// Whether files in this directory (or its nearest existing parent) can share extents with each
/// other. Leaves nothing behind.
[[nodiscard]] Result<bool> can_reflink(const fs::path& directory);

struct DataRange {
  std::uint64_t offset = 0;
  std::uint64_t length_bytes = 0;
};

/// Ranges that are not holes, ascending.
[[nodiscard]] Result<std::vector<DataRange>> data_ranges(const File& file);

/// Sorted, those that touch or overlap made one.
[[nodiscard]] std::vector<DataRange> joined(std::vector<DataRange> ranges);

}  // namespace imprint::image
