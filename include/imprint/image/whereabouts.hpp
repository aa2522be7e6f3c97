#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/node.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// What a byte of an image belongs to.
enum class Place {
  free_block,          ///< of an ext file system: nobody's
  file_content,        ///< of a file, a directory, a symbolic link, or an extended attribute
  journal,             ///< of an ext file system
  inode_table,         ///< of an ext file system, inodes that are not in use included
  metadata,            ///< of an ext file system: superblock, descriptors, bitmaps, block maps
  behind_file_system,  ///< in the partition, but the ext file system ends before
  other_partition,     ///< in a partition without an ext file system that can be read
  outside_partitions,  ///< partition table, gaps, behind the last partition
};

struct Whereabouts {
  Place place = Place::outside_partitions;
  /// One line: `content of '/etc/key.pem' (inode 14) in partition 2 ('root')`.
  std::string text;
  /// The inode whose content or block map it is, or that lies there; 0 when there is none.
  InodeNumber inode = 0;
  /// Of that inode, all its names, sorted; empty when nobody names it.
  std::vector<std::string> paths = {};
};

/// Where a file lies in the image, in bytes of the image.
struct FileRanges {
  /// Of a regular file its content, ascending in the file, without holes and what reads as zeros,
  /// whole blocks; content inside the inode lies in the inode's range.
  std::vector<DataRange> content;
  DataRange inode;
};

/// An ext file system of an image, open for questions of what lies where. One thread at a time; the
/// image outlives it.
class VolumeMap {
 public:
  /// Refuses what Volume::open_read refuses.
  static Result<VolumeMap> open(const ImageReader& image, const Partition& partition);
  VolumeMap(VolumeMap&&) noexcept;
  VolumeMap& operator=(VolumeMap&&) noexcept;
  VolumeMap(const VolumeMap&) = delete;
  VolumeMap& operator=(const VolumeMap&) = delete;
  ~VolumeMap();

  /// Code::invalid_input when the inode is no regular file.
  [[nodiscard]] Result<FileRanges> file_ranges(InodeNumber inode) const;

  /// What changes when anything is allocated or given back: superblocks, group descriptors, block
  /// and inode bitmaps, with all backups. Ascending, disjoint.
  [[nodiscard]] Result<std::vector<DataRange>> allocation_metadata() const;

  /// Walks all inodes and, when a file is met, the whole tree: for a finding, not for every byte.
  /// An offset outside the partition is Code::invalid_input.
  [[nodiscard]] Result<Whereabouts> at(std::uint64_t image_offset) const;

 private:
  struct Impl;
  explicit VolumeMap(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// What lies at this byte of an image with these partitions. An ext file system that cannot be read
/// is no error: the text says why.
[[nodiscard]] Result<Whereabouts> whereabouts(const ImageReader& image,
                                              std::span<const Partition> partitions,
                                              std::uint64_t image_offset);

}  // namespace imprint::image
