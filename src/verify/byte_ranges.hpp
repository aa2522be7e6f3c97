#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "imprint/image/clone.hpp"

namespace imprint::verify {

/// Byte ranges of an image, to be asked about single bytes.
class ByteRanges {
 public:
  void add(const image::DataRange& range) { ranges_.push_back(range); }

  void add(const std::vector<image::DataRange>& ranges) {
    for (const image::DataRange& range : ranges)
      add(range);
  }

  /// Once everything was added, before the first question.
  void seal() { ranges_ = image::joined(std::move(ranges_)); }

  [[nodiscard]] bool contains(std::uint64_t offset) const noexcept {
    const auto after = std::ranges::upper_bound(ranges_, offset, {}, &image::DataRange::offset);
    if (after == ranges_.begin()) return false;
    const image::DataRange& range = *std::prev(after);
    return offset - range.offset < range.length_bytes;
  }

 private:
  std::vector<image::DataRange> ranges_;
};

}  // namespace imprint::verify
