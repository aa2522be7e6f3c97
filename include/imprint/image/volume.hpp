#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/canvas.hpp"
#include "imprint/image/file_system.hpp"
#include "imprint/image/node.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

inline constexpr InodeNumber kRootInode = 2;

/// A run of a file's content in the image: absolute byte offset and length.
struct Extent {
  std::uint64_t image_offset = 0;
  std::uint64_t length_bytes = 0;
};

/// Where a file's inode and content live in the image, and how to make the inode for another size
/// with the same blocks. Plain data: needs no open volume and may be used by many threads.
struct Placement {
  std::uint64_t inode_offset = 0;   ///< absolute byte offset of the on-disk inode
  Bytes inode;                      ///< its bytes (128 or more) for size `capacity_bytes`
  std::vector<Extent> extents;      ///< in file order; together capacity_bytes
  std::uint32_t checksum_seed = 0;  ///< crc32c state after inode number and generation
  bool has_checksum = false;        ///< metadata_csum

  [[nodiscard]] std::uint64_t capacity_bytes() const noexcept;
  /// The on-disk inode for a content of `size_bytes` that needs exactly the allocated blocks:
  /// i_size and checksum set.
  void inode_for_size(std::uint64_t size_bytes, MutableBytes into) const;
};

/// An ext2/3/4 file system inside an image, by libext2fs. One thread at a time (several volumes may
/// be used by several threads). The image or Canvas outlives it. Edits go to the Canvas at commit()
/// and before; a Volume that is dropped uncommitted leaves its Canvas undefined: throw it away.
class Volume {
 public:
  struct Impl;

  /// Refuses, with a message that names the partition and says what to do: a journal that needs
  /// recovery, a file system marked with errors or not clean, features outside the tested list (by
  /// name), a file system larger than its partition, checksums that do not match.
  static Result<Volume> open_read(const ImageReader& image, const Partition& partition);
  /// `now` becomes every time stamp that editing sets.
  static Result<Volume> open_edit(Canvas& canvas, const Partition& partition, TimePoint now);
  Volume(Volume&&) noexcept;
  Volume& operator=(Volume&&) noexcept;
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;
  ~Volume();

  [[nodiscard]] const Partition& partition() const noexcept;
  [[nodiscard]] std::uint32_t block_bytes() const noexcept;
  /// s_wtime of the superblock as it was opened: the time a reproducible edit uses.
  [[nodiscard]] TimePoint last_written() const noexcept;
  [[nodiscard]] std::uint64_t free_blocks() const noexcept;
  [[nodiscard]] std::uint64_t free_inodes() const noexcept;

  [[nodiscard]] Result<NodeInfo> stat(InodeNumber inode) const;
  /// One name in one directory; none when there is no such entry.
  [[nodiscard]] Result<std::optional<InodeNumber>> lookup(InodeNumber directory,
                                                          std::string_view name) const;
  /// `parent`: the directory it was found in. One that says it is in another is Code::corrupt, as
  /// is one in which a directory has two names: they would lead whoever walks the tree round and
  /// round.
  [[nodiscard]] Result<std::vector<std::string>> list(
      InodeNumber directory, std::optional<InodeNumber> parent = std::nullopt) const;
  [[nodiscard]] Result<crypto::WipedBytes> read_file(InodeNumber inode,
                                                     std::uint64_t limit_bytes = 16U << 20) const;
  /// The same for files of any size; holes are left out.
  [[nodiscard]] Result<> read_content(InodeNumber inode, const ContentSink& sink) const;
  [[nodiscard]] Result<std::string> read_link(InodeNumber inode) const;
  [[nodiscard]] Result<std::vector<ExtendedAttribute>> extended_attributes(InodeNumber inode) const;

  // Edits. A failure that is found beforehand (bad name, name taken, no room) changes nothing.
  // After any other, as when a crowded directory cannot grow, commit() refuses: throw the Canvas
  // away.

  /// Makes a directory; Code::exists when the name is taken, Code::image_full with what is missing
  /// (blocks or inodes).
  Result<InodeNumber> make_directory(InodeNumber parent, std::string_view name,
                                     const Attributes& attributes);

  /// Writes a new file of this content under the name. An existing regular file of that name is
  /// replaced: the new one gets fresh blocks and a fresh inode, then the name is switched, then the
  /// old blocks (unless other links hold them) are freed and zeroed. Existing directories and other
  /// nodes are Code::exists. Extended attributes of a replaced file (SELinux label) are carried
  /// over, except those bound to its content (capabilities, integrity signatures).
  /// Holes of the content become holes of the file.
  Result<InodeNumber> write_file(InodeNumber parent, std::string_view name, const Content& content,
                                 const Attributes& attributes);

  Result<InodeNumber> write_file(InodeNumber parent, std::string_view name, ByteView content,
                                 const Attributes& attributes) {
    return write_file(parent, name, MemoryContent(content), attributes);
  }

  Result<InodeNumber> make_symlink(InodeNumber parent, std::string_view name,
                                   std::string_view target, const Attributes& attributes);
  /// A name and, with its last link, what it names: a file, a link, or an empty directory
  /// (Code::exists when it is not empty).
  Result<> remove(InodeNumber parent, std::string_view name);
  Result<> change_attributes(InodeNumber inode, const AttributeChange& change);
  /// No value removes it.
  Result<> set_extended_attribute(InodeNumber inode, const std::string& name,
                                  std::optional<ByteView> value);

  /// Content and extent map of an existing regular file with at least one block and no holes.
  [[nodiscard]] Result<Placement> placement(InodeNumber inode) const;

  /// Flushes superblock, group descriptors and bitmaps into the canvas and closes. Nothing else is
  /// allowed after. Only the primary ones: their backups are no more current on any other ext4
  /// disk.
  Result<> commit();

  /// Absolute byte ranges of the image that held no data of this file system when it was opened for
  /// editing (free blocks), asked block-wise: writes there cannot be seen before the metadata that
  /// refers to them. Of a volume opened for reading there is none. Ask before commit; the map stays
  /// valid after.
  struct FreeMap;
  [[nodiscard]] std::shared_ptr<const FreeMap> original_free_map() const;

 private:
  explicit Volume(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// True when the whole range lies in blocks that were free.
[[nodiscard]] bool was_free(const Volume::FreeMap& map, std::uint64_t image_offset,
                            std::uint64_t length_bytes);

}  // namespace imprint::image
