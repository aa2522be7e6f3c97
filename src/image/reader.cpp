#include "imprint/image/reader.hpp"

#include <sys/stat.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {

namespace {

[[nodiscard]] FileStamp stamp_of(const struct stat& status) {
  return FileStamp{.device = status.st_dev,
                   .inode = status.st_ino,
                   .size_bytes = static_cast<std::uint64_t>(status.st_size),
                   .modified_s = status.st_mtim.tv_sec,
                   .modified_ns = status.st_mtim.tv_nsec};
}

[[nodiscard]] Error stat_error(const fs::path& path) {
  return system_error("looking at " + quoted(path.native()));
}

}  // namespace

Result<FileImage> FileImage::open(const fs::path& path) {
  File file = IMPRINT_TRY(File::open_read(path));
  struct stat status = {};
  if (::fstat(file.fd(), &status) != 0) return fail(stat_error(path));
  return FileImage(std::move(file), stamp_of(status));
}

Result<FileImage> FileImage::with_content(File content) && {
  size_bytes_ = IMPRINT_TRY(content.size_bytes());
  content_ = std::move(content);
  return std::move(*this);
}

Result<bool> FileImage::changed_since_opened() const {
  struct stat status = {};
  if (::stat(path().c_str(), &status) != 0) return fail(stat_error(path()));
  return !(stamp_of(status) == stamp_);
}

Result<> FileImage::read(std::uint64_t offset, MutableBytes into) const {
  // The size of the opening counts: an image that grows meanwhile is not what was planned with.
  if (offset > size_bytes() || into.size() > size_bytes() - offset) {
    return fail(Code::corrupt,
                fmt::format("{} has {} bytes; {} bytes at {} lie beyond its end",
                            quoted(path().native()), size_bytes(), into.size(), offset));
  }
  return file().read_exact(offset, into);
}

}  // namespace imprint::image
