#pragma once

#include <cstdint>
#include <optional>
#include <utility>

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

/// An image file, as it is or decompressed (decompress.hpp).
class FileImage final : public ImageReader {
 public:
  /// The file's own bytes.
  static Result<FileImage> open(const fs::path& path);

  /// The same with other bytes: those of `content`, which were made from the file's own.
  [[nodiscard]] Result<FileImage> with_content(File content) &&;

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return size_bytes_; }

  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override;

  [[nodiscard]] const fs::path& path() const noexcept override { return file_.path(); }

  /// The file that holds the bytes: not the one at path() when that is compressed.
  [[nodiscard]] const File& file() const noexcept { return content_ ? *content_ : file_; }

  [[nodiscard]] bool was_compressed() const noexcept { return content_.has_value(); }

  /// Whether the path now leads to another file, or the file has been written to, since open().
  [[nodiscard]] Result<bool> changed_since_opened() const;

 private:
  FileImage(File file, const FileStamp& stamp)
      : file_(std::move(file)),
        stamp_(stamp),
        size_bytes_(stamp.size_bytes) {}

  File file_;
  FileStamp stamp_;
  std::optional<File> content_;
  std::uint64_t size_bytes_;
};

}  // namespace imprint::image
