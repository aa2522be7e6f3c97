#include "imprint/image/content.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {

Result<std::vector<DataRange>> MemoryContent::data_ranges() const {
  if (bytes_.empty()) return std::vector<DataRange>();
  return std::vector<DataRange>{{0, bytes_.size()}};
}

Result<> MemoryContent::read(std::uint64_t offset, MutableBytes into) const {
  if (offset > bytes_.size() || into.size() > bytes_.size() - offset) {
    return fail(Code::internal, "a read beyond the end of a content");
  }
  std::ranges::copy(bytes_.subspan(static_cast<std::size_t>(offset), into.size()), into.begin());
  return {};
}

Result<FileContent> FileContent::of(const File& file) {
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  return FileContent(file, size);
}

Result<std::vector<DataRange>> FileContent::data_ranges() const {
  std::vector<DataRange> ranges = IMPRINT_TRY(image::data_ranges(*file_));
  // The file may have grown since its size was taken.
  std::erase_if(ranges, [this](const DataRange& range) { return range.offset >= size_; });
  for (DataRange& range : ranges)
    range.length_bytes = std::min(range.length_bytes, size_ - range.offset);
  return ranges;
}

Result<> FileContent::read(std::uint64_t offset, MutableBytes into) const {
  return file_->read_exact(offset, into);
}

}  // namespace imprint::image
