#pragma once

#include <cstdint>

#include <ext2fs/ext2fs.h>

#include "imprint/base/result.hpp"

namespace imprint::image {

/// Whether this is a file system that may be read and edited: every feature known and tested,
/// nothing left to recover or repair, no larger than its partition. Needs the superblock only.
[[nodiscard]] Result<> admit_superblock(const ext2_super_block& super,
                                        std::uint64_t partition_bytes);

/// The same for the group descriptors: their checksums, and that they point at places of their own.
[[nodiscard]] Result<> admit_groups(ext2_filsys fs);

}  // namespace imprint::image
