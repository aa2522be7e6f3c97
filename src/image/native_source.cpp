// Which code reads a partition in this process: libext2fs for ext2, ext3 and ext4, our reader
// and mtools for FAT.

#include <fmt/format.h>

#include "fat_file_system.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/ext_file_system.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::image {
namespace {

[[nodiscard]] bool is_ext(const Partition& partition) noexcept {
  return partition.file_system == "ext2" || partition.file_system == "ext3" ||
         partition.file_system == "ext4";
}

[[nodiscard]] bool is_fat(const Partition& partition) noexcept {
  return partition.file_system == "vfat" || partition.file_system == "msdos";
}

[[nodiscard]] Unexpected no_driver(const ImageReader& image, const Partition& partition) {
  if (partition.file_system.empty()) {
    return fail(Code::unsupported, fmt::format("partition {} of {} holds no file system",
                                               partition.number, quoted(image.path().native())));
  }
  return fail(Code::unsupported,
              fmt::format("partition {} of {} holds {}; use --engine guestfs", partition.number,
                          quoted(image.path().native()), partition.file_system));
}

class Reading final : public FileSystemSource {
 public:
  explicit Reading(const ImageReader& image) : image_(image) {}

  Result<std::unique_ptr<FileSystem>> open(const Partition& partition) override {
    if (is_fat(partition)) return IMPRINT_TRY(FatFileSystem::open_read(image_, partition));
    if (!is_ext(partition)) return no_driver(image_, partition);
    auto volume = IMPRINT_TRY(Volume::open_read(image_, partition));
    return std::make_unique<ExtFileSystem>(std::move(volume));
  }

 private:
  const ImageReader& image_;
};

class Editing final : public FileSystemSource {
 public:
  Editing(Canvas& canvas, std::optional<TimePoint> now) : canvas_(canvas), now_(now) {}

  Result<std::unique_ptr<FileSystem>> open(const Partition& partition) override {
    IMPRINT_TRY(admit_edit(canvas_.path(), partition));
    if (is_fat(partition)) return IMPRINT_TRY(FatFileSystem::open_edit(canvas_, partition, now_));
    if (!is_ext(partition)) return no_driver(canvas_, partition);
    TimePoint now = now_.value_or(TimePoint());
    if (!now_) now = IMPRINT_TRY(Volume::open_read(canvas_, partition)).last_written();
    auto volume = IMPRINT_TRY(Volume::open_edit(canvas_, partition, now));
    return std::make_unique<ExtFileSystem>(std::move(volume));
  }

 private:
  Canvas& canvas_;
  std::optional<TimePoint> now_;
};

}  // namespace

std::unique_ptr<FileSystemSource> read_natively(const ImageReader& image) {
  return std::make_unique<Reading>(image);
}

std::unique_ptr<FileSystemSource> edit_natively(Canvas& canvas, std::optional<TimePoint> now) {
  return std::make_unique<Editing>(canvas, now);
}

}  // namespace imprint::image
