#pragma once

#include <cstddef>
#include <cstdint>

#include "imprint/base/bytes.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::image {

/// The block of nearly every file system: smaller holes would not be holes.
inline constexpr std::size_t kBlockBytes = 4096;

/// Writes `bytes` but for its blocks of zeros; neighbouring blocks go in one write. `offset` is
/// where data begins, on a block boundary wherever the file system has blocks of 4 KiB or more.
Result<> write_without_zeros(File& to, std::uint64_t offset, ByteView bytes);

}  // namespace imprint::image
