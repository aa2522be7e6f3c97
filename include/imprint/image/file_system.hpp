#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/image/content.hpp"
#include "imprint/image/node.hpp"
#include "imprint/image/partition.hpp"

namespace imprint::image {

class Volume;

/// Attributes that describe the content they were made for (capabilities, integrity signatures):
/// the kernel drops the first on every write, and a signature of the old content would make the new
/// one unreadable.
[[nodiscard]] bool is_bound_to_content(std::string_view attribute) noexcept;

/// One file system of an image, whatever its kind and whoever reads it. One thread at a time.
///
/// Paths are absolute within the file system (`/` is its root directory) and plain: no `.`, no
/// `..`, no symbolic link before the last name, which is itself never followed. DeviceTree makes
/// such paths of those that people write. Errors name the partition.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  [[nodiscard]] virtual const Partition& partition() const noexcept = 0;
  /// False on FAT, which knows neither owners and modes nor links and extended attributes: those
  /// are ignored, or refused where they were asked for by name.
  [[nodiscard]] virtual bool has_owners() const noexcept = 0;

  /// None when there is no such name.
  [[nodiscard]] virtual Result<std::optional<NodeInfo>> find(std::string_view path) = 0;
  /// Names in a directory, sorted by bytes, without `.` and `..`.
  [[nodiscard]] virtual Result<std::vector<std::string>> list(std::string_view path) = 0;
  [[nodiscard]] virtual Result<std::string> read_link(std::string_view path) = 0;
  /// Content of a regular file, which may be larger than memory.
  [[nodiscard]] virtual Result<> read(std::string_view path, const ContentSink& sink) = 0;
  [[nodiscard]] virtual Result<std::vector<ExtendedAttribute>> extended_attributes(
      std::string_view path) = 0;

  // Edits. The parent directory must be there. A failure that is found beforehand (a bad name, a
  // name taken, no room) changes nothing; after any other, commit() refuses.

  /// Code::exists when the name is taken, Code::image_full with what is missing.
  virtual Result<> make_directory(std::string_view path, const Attributes& attributes) = 0;
  /// Makes or replaces a regular file. A replaced file gives its extended attributes on to the new
  /// one, except those bound to its content; its blocks are zeroed. Anything else of that name is
  /// Code::exists.
  virtual Result<> write_file(std::string_view path, const Content& content,
                              const Attributes& attributes) = 0;
  virtual Result<> make_symlink(std::string_view path, std::string_view target,
                                const Attributes& attributes) = 0;
  /// A file, a link or an empty directory; Code::exists when a directory is not empty. Blocks that
  /// nobody else uses are zeroed.
  virtual Result<> remove(std::string_view path) = 0;
  virtual Result<> change_attributes(std::string_view path, const AttributeChange& change) = 0;
  /// An empty value is a value; no value removes the attribute.
  virtual Result<> set_extended_attribute(std::string_view path, const std::string& name,
                                          std::optional<ByteView> value) = 0;
  /// Brings everything to the image (or the canvas over it). Nothing else is allowed after.
  virtual Result<> commit() = 0;

  /// The ext file system below, for what only ext has (Placement, FreeMap); null for others.
  [[nodiscard]] virtual Volume* volume() noexcept { return nullptr; }

  /// All of a regular file; Code::invalid_input when it is larger than the limit.
  [[nodiscard]] Result<crypto::WipedBytes> read_whole(std::string_view path,
                                                      std::uint64_t limit_bytes = 16U << 20);
};

/// Opens the file systems of one image: with libext2fs and mtools on the image itself, or through
/// a Linux kernel in an appliance. The source outlives what it has opened.
class FileSystemSource {
 public:
  FileSystemSource() = default;
  FileSystemSource(const FileSystemSource&) = delete;
  FileSystemSource& operator=(const FileSystemSource&) = delete;
  virtual ~FileSystemSource() = default;
  /// Code::unsupported, with what to do, for a kind that it cannot open.
  [[nodiscard]] virtual Result<std::unique_ptr<FileSystem>> open(const Partition& partition) = 0;
};

}  // namespace imprint::image
