#pragma once

#include <bit>
#include <cstring>

#include "imprint/crypto/secret.hpp"
#include "imprint/image/search.hpp"

namespace imprint::image {

template <class T>
using WipedVector = std::vector<T, crypto::WipingAllocator<T>>;

/// Four bytes of the data, in the machine's own order.
[[nodiscard]] inline std::uint32_t window_at(const std::byte* at) noexcept {
  std::uint32_t window = 0;
  std::memcpy(&window, at, sizeof window);
  return window;
}

struct PatternSet::Compiled {
  struct Place {
    std::size_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t first_window = 0;  ///< the eight windows start here and at the next seven bytes
  };

  /// A window of a pattern.
  struct Entry {
    std::uint32_t window = 0;
    std::uint32_t pattern_and_step = 0;  ///< index * 8 + 0..7
  };

  std::vector<Place> places;
  crypto::SecretBytes bytes;  ///< all patterns, one after another
  std::size_t longest = 0;
  bool has_zero_window = false;  ///< then runs of zeros cannot be skipped

  // Both are indexed by the upper bits of one hash: a bit says that a window may be one of ours,
  // bucket i holds which: entries from bucket_ends[i] to before bucket_ends[i + 1].
  unsigned bit_shift = 0;
  unsigned bucket_shift = 0;
  WipedVector<std::uint64_t> bits;
  WipedVector<std::uint32_t> bucket_ends;
  WipedVector<Entry> entries;

  [[nodiscard]] static std::uint32_t hash(std::uint32_t window) noexcept {
    return window * 0x9E3779B1U;
  }

  /// 1 when the window may be one of ours, else 0.
  [[nodiscard]] unsigned may_be_ours(std::uint32_t window) const noexcept {
    const std::uint32_t bit = hash(window) >> bit_shift;
    return static_cast<unsigned>(bits[bit >> 6U] >> (bit & 63U) & 1U);
  }

  [[nodiscard]] ByteView pattern(std::size_t index) const noexcept {
    return bytes.view().subspan(places[index].offset, places[index].size);
  }
};

}  // namespace imprint::image
