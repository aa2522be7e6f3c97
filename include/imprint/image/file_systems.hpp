#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/file_system.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/image/tree.hpp"

namespace imprint::image {

/// Reads an image's file systems in this process: ext, and FAT. The reader outlives the source.
[[nodiscard]] std::unique_ptr<FileSystemSource> read_natively(const ImageReader& image);

/// Code::unsupported, with what to do instead, for a file system that cannot be changed (squashfs)
/// or in which a device would not accept a change (dm-verity), whoever would make it.
[[nodiscard]] Result<> admit_edit(const fs::path& image, const Partition& partition);

/// Edits them on a canvas, which outlives the source. `now` is every time stamp of the edit; none:
/// each file system's own last-written time, so that the same base and edits give the same bytes
/// on any day.
[[nodiscard]] std::unique_ptr<FileSystemSource> edit_natively(
    Canvas& canvas, std::optional<TimePoint> now = std::nullopt);

/// The file systems of one image as its device mounts them, each opened when it is first needed.
/// One thread at a time.
class FileSystems {
 public:
  struct Impl;

  /// The name space of the device as one rootfs gives it.
  struct Root {
    std::string label;        ///< "rootfs A (partition 2)"; "data (partition 4)" without a rootfs
    bool is_second = false;   ///< rootfs B
    bool has_rootfs = false;  ///< false: the image has none, and the tree knows /data and boot only
    DeviceTree tree;
  };

  FileSystems(std::unique_ptr<FileSystemSource> source, Layout layout);

  [[nodiscard]] const Layout& layout() const noexcept;

  /// A first, then a populated B; all over the same data and boot. An image without a rootfs has
  /// one root all the same, for its data.
  [[nodiscard]] std::vector<Root>& roots() noexcept { return roots_; }

  /// One partition with its own name space, in which nothing is mounted.
  [[nodiscard]] Result<Root> alone(int partition_number);
  /// Any partition of the image, by number. Code::not_found, with what there is, for no such
  /// number.
  [[nodiscard]] Result<FileSystem*> at(int partition_number);
  /// Those that have been opened so far.
  [[nodiscard]] std::vector<FileSystem*> opened() const;

  /// "data (partition 4)", "rootfs A (partition 2)", "partition 5"
  [[nodiscard]] std::string label_of(const Partition& partition) const;

  /// Ends the work: everything is in the image, or on the canvas.
  Result<> commit();

 private:
  std::shared_ptr<Impl> impl_;  // the trees have a part in it
  std::vector<Root> roots_;
};

}  // namespace imprint::image
