#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <ext2fs/ext2fs.h>

#include "imprint/base/result.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// What one ext2fs handle reads and writes instead of a device: a stretch of an image. It holds the
/// handle's I/O channel, so it must not move while a handle is open on it, and must outlive it.
class IoTarget {
 public:
  /// Without a canvas every write is refused.
  IoTarget(const ImageReader& image, Canvas* canvas, std::uint64_t offset, std::uint64_t size);
  IoTarget(const IoTarget&) = delete;
  IoTarget& operator=(const IoTarget&) = delete;
  ~IoTarget() = default;

  /// ext2fs_open2 on this stretch. `flags` as there.
  errcode_t open(int flags, ext2_filsys* fs);

  errcode_t read(std::uint64_t offset, MutableBytes into);
  errcode_t write(std::uint64_t offset, ByteView bytes);

  [[nodiscard]] io_channel channel() noexcept { return &channel_; }

  /// Why the last read or write failed, which an errcode_t cannot carry; taking it forgets it.
  [[nodiscard]] std::optional<Error> take_failure() noexcept;

 private:
  [[nodiscard]] bool contains(std::uint64_t offset, std::size_t size) const noexcept;
  errcode_t remember(Error error);

  const ImageReader& image_;
  Canvas* canvas_;
  std::uint64_t offset_;
  std::uint64_t size_;
  std::optional<Error> failure_;
  struct_io_channel channel_{};
  std::string name_ = "image";  // the library wants a char*
};

}  // namespace imprint::image
