#pragma once

#include <cstdint>

#include <ext2fs/ext2fs.h>

#include "imprint/base/result.hpp"

namespace imprint::image {

enum class Purpose { read, edit };

/// Whether this is a file system for that purpose: every feature that matters to it known and
/// tested, nothing left to recover or repair, no larger than its partition. Needs the superblock
/// only.
[[nodiscard]] Result<> admit_superblock(const ext2_super_block& super,
                                        std::uint64_t partition_bytes, Purpose purpose);

/// The same for the group descriptors: their checksums, and that they point at places of their own.
[[nodiscard]] Result<> admit_groups(ext2_filsys fs);

/// That no other machine uses the file system, as far as its block of multiple mount protection
/// tells ('mmp'). The library would wait, and write to a device of its own.
[[nodiscard]] Result<> admit_users(ext2_filsys fs);

}  // namespace imprint::image
