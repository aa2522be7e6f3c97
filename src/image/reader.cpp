#include "imprint/image/reader.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {

Result<FileImage> FileImage::open(const fs::path& path) {
  File file = IMPRINT_TRY(File::open_read(path));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  return FileImage(std::move(file), size);
}

Result<> FileImage::read(std::uint64_t offset, MutableBytes into) const {
  // The size of the opening counts: an image that grows meanwhile is not what was planned with.
  if (offset > size_bytes_ || into.size() > size_bytes_ - offset) {
    return fail(Code::corrupt,
                fmt::format("{} has {} bytes; {} bytes at {} lie beyond its end",
                            quoted(path().native()), size_bytes_, into.size(), offset));
  }
  return file_.read_exact(offset, into);
}

}  // namespace imprint::image
