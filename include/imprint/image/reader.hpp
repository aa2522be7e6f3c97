#pragma once

#include <cstdint>

#include "imprint/base/bytes.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::image {

/// The bytes of a disk image, wherever they come from. Reading is thread-safe as long as nobody
/// writes.
class ImageReader {
 public:
  virtual ~ImageReader() = default;
  [[nodiscard]] virtual std::uint64_t size_bytes() const noexcept = 0;
  /// Fills all of `into`; reading past the end is Code::corrupt.
  [[nodiscard]] virtual Result<> read(std::uint64_t offset, MutableBytes into) const = 0;
  /// For messages.
  [[nodiscard]] virtual const fs::path& path() const noexcept = 0;
};

/// Tells whether a path still leads to the same file with the same content.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_s = 0;
  std::int64_t modified_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// An image file as it is.
class FileImage final : public ImageReader {
 public:
  static Result<FileImage> open(const fs::path& path);

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return stamp_.size_bytes; }

  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override;

  [[nodiscard]] const fs::path& path() const noexcept override { return file_.path(); }

  [[nodiscard]] const File& file() const noexcept { return file_; }

  /// Whether the path now leads to another file, or the file has been written to, since open().
  [[nodiscard]] Result<bool> changed_since_opened() const;

 private:
  FileImage(File file, const FileStamp& stamp) : file_(std::move(file)), stamp_(stamp) {}

  File file_;
  FileStamp stamp_;
};

}  // namespace imprint::image
