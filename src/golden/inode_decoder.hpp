#pragma once

#include <cstdint>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::golden {

/// What of a file system's superblock is needed to understand its inodes.
struct FileSystemFacts {
  std::uint64_t offset_bytes = 0;  ///< of the file system in the image
  std::uint32_t block_bytes = 0;
  bool has_checksums = false;  ///< metadata_csum
  std::uint32_t checksum_seed = 0;

  static Result<FileSystemFacts> read(const image::ImageReader& image,
                                      const image::Partition& partition);
};

/// A regular file's inode, decoded from its bytes on the disk.
struct DecodedInode {
  unsigned mode = 0;  ///< permission bits
  unsigned uid = 0;
  unsigned gid = 0;
  std::uint64_t size_bytes = 0;
  std::vector<image::Extent> content;  ///< in file order, whole blocks, no holes; runs as mapped
};

/// Decodes the inode of a regular file with exactly one link. Blocks of deeper maps are read from
/// `image`. Code::check_failed says what is wrong: no regular file, deleted, a wrong checksum, a
/// map that does not cover the size or has holes.
[[nodiscard]] Result<DecodedInode> decode_inode(ByteView inode, image::InodeNumber number,
                                                const FileSystemFacts& facts,
                                                const image::ImageReader& image);

}  // namespace imprint::golden
