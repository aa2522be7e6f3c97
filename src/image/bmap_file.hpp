#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"

namespace imprint::image {

/// What a block map says, as far as it goes by itself: nothing of it has been held against an
/// image.
struct BmapFile {
  struct Range {
    std::uint64_t first = 0;  ///< block
    std::uint64_t last = 0;   ///< block, part of it
    std::string checksum;     ///< lower-case hexadecimal
  };

  std::uint64_t image_bytes = 0;
  std::uint64_t block_bytes = 0;
  std::uint64_t blocks = 0;
  std::uint64_t mapped_blocks = 0;
  std::string checksum_type;  ///< as Python's hashlib calls it: sha1, sha256
  std::string checksum;       ///< of the file itself, with zeros in its place
  std::vector<Range> ranges;  ///< in the order of the file
};

/// The text of a block map: version 1.3, 1.4 or 2.x. Code::check_failed for anything else that may
/// be in it, Code::unsupported for other versions.
[[nodiscard]] Result<BmapFile> parse_bmap(std::string_view text);

}  // namespace imprint::image
