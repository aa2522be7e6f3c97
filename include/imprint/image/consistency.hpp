#pragma once

#include "imprint/base/result.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// Whether the ext2, ext3 or ext4 file system in this partition is sound throughout: what
/// `e2fsck -fn` would find wrong is Code::corrupt, with the first finding, the partition's name and
/// 'e2fsck -f' in one line. What it would only offer to tidy up (exit status 0) is none. Refuses
/// what Volume::open_read refuses, with its messages. Only reads; thread-safe as far as the image
/// is. Needs memory for some bytes per inode and a bit per block, however damaged the file system
/// is. Not looked at: the usage that quota files record, names that break a directory's encoding,
/// policies of encrypted directories.
[[nodiscard]] Result<> check_consistency(const ImageReader& image, const Partition& partition);

}  // namespace imprint::image
