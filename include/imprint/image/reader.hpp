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
  virtual Result<> read(std::uint64_t offset, MutableBytes into) const = 0;
  /// For messages.
  [[nodiscard]] virtual const fs::path& path() const noexcept = 0;
};

/// An image file as it is.
class FileImage final : public ImageReader {
 public:
  static Result<FileImage> open(const fs::path& path);

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return size_bytes_; }

  Result<> read(std::uint64_t offset, MutableBytes into) const override;

  [[nodiscard]] const fs::path& path() const noexcept override { return file_.path(); }

  [[nodiscard]] const File& file() const noexcept { return file_; }

 private:
  FileImage(File file, std::uint64_t size_bytes)
      : file_(std::move(file)),
        size_bytes_(size_bytes) {}

  File file_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace imprint::image
