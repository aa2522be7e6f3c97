#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::image {

/// The device's name space: a root volume with the data volume mounted at /data, paths resolved as
/// the device would, symbolic links included.
/// `..` never leaves the root, links never leave the image, 40 links at most. Boot mount points
/// (/boot/efi, /uboot, /boot/grub, /boot/firmware) are refused with the reason.
/// `/database` is not `/data`. The root volume may be absent (only /data paths work then), or the
/// data volume (no /data path works then). Both outlive the tree. Errors name the path as it was
/// asked for.
class DeviceTree {
 public:
  DeviceTree(Volume* root, Volume* data) : root_(root), data_(data) {}

  /// Where a path leads: the volume, the directory that holds (or will hold) the last name, and the
  /// node if it exists.
  struct Location {
    Volume* volume = nullptr;
    InodeNumber directory = 0;
    std::string name;  ///< empty for the root of a volume, whose directory and node are the same
    std::optional<InodeNumber> node;  ///< symbolic links at the end are followed: this is never one
  };

  /// `make_missing`: directories on the way that do not exist are made with these attributes;
  /// otherwise their absence is Code::not_found naming the first missing one.
  [[nodiscard]] Result<Location> resolve(std::string_view absolute_path,
                                         const Attributes* make_missing = nullptr);

  [[nodiscard]] Result<bool> exists(std::string_view absolute_path);
  [[nodiscard]] Result<NodeInfo> stat(std::string_view absolute_path);
  [[nodiscard]] Result<crypto::WipedBytes> read_file(std::string_view absolute_path,
                                                     std::uint64_t limit_bytes = 16U << 20);
  /// Missing directories are made 0755 0:0 (0700 under /data/mender). Returns where it went.
  Result<Location> write_file(std::string_view absolute_path, ByteView content,
                              Attributes attributes);

 private:
  Volume* root_;
  Volume* data_;
};

}  // namespace imprint::image
