#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/image/file_system.hpp"

namespace imprint::image {

/// A file system of the device, opened when a path first leads into it; empty when the image has
/// none. The file system stays where it is as long as the tree lives.
using Mount = std::function<Result<FileSystem*>()>;

struct Mounts {
  Mount root;
  Mount data;  ///< at /data
  Mount boot;  ///< at /boot/efi, /boot/firmware, /boot/grub and /uboot
  /// The root is one file system for itself: nothing is mounted on it.
  bool alone = false;
};

/// The device's name space, paths resolved as the device would, symbolic links included.
/// `..` never leaves the root, links never leave the image, 40 links at most.
/// `/database` is not `/data`. Without a boot partition the boot directories are ordinary ones of
/// the root. Errors name the path as it was asked for.
class DeviceTree {
 public:
  explicit DeviceTree(Mounts mounts) : mounts_(std::move(mounts)) {}

  /// Where a path leads: a plain path of one file system (file_system.hpp), and what is there.
  struct Location {
    FileSystem* file_system = nullptr;
    std::string path;
    std::optional<NodeInfo> node;  ///< never a link where the last name was followed

    /// The root of a file system, which cannot be removed or replaced.
    [[nodiscard]] bool is_root() const noexcept { return path == "/"; }
  };

  enum class LastLink { follow, keep };

  /// `make_missing`: directories on the way that do not exist are made with these attributes;
  /// otherwise their absence is Code::not_found naming the first missing one.
  [[nodiscard]] Result<Location> resolve(std::string_view absolute_path,
                                         const Attributes* make_missing = nullptr,
                                         LastLink last = LastLink::follow);

  [[nodiscard]] Result<bool> exists(std::string_view absolute_path);
  [[nodiscard]] Result<NodeInfo> stat(std::string_view absolute_path);
  [[nodiscard]] Result<crypto::WipedBytes> read_file(std::string_view absolute_path,
                                                     std::uint64_t limit_bytes = 16U << 20);
  /// Missing directories are made 0755 0:0 (0700 under /data/mender). Returns where it went.
  Result<Location> write_file(std::string_view absolute_path, const Content& content,
                              const Attributes& attributes);
  Result<Location> write_file(std::string_view absolute_path, ByteView content,
                              const Attributes& attributes);

 private:
  Mounts mounts_;
};

}  // namespace imprint::image
