#pragma once

#include <bit>
#include <cstring>

#include "imprint/crypto/secret.hpp"
#include "imprint/image/search.hpp"

namespace imprint::image {

template <class T>
using WipedVector = std::vector<T, crypto::WipingAllocator<T>>;

/// Eight bytes of the data, in the machine's own order.
[[nodiscard]] inline std::uint64_t window_at(const std::byte* at) noexcept {
  std::uint64_t window = 0;
  std::memcpy(&window, at, sizeof window);
  return window;
}

inline constexpr std::size_t kWindowBytes = 8;

struct PatternSet::Compiled {
  struct Place {
    std::size_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t first_window = 0;  ///< `step` windows start here and at the bytes that follow
  };

  /// A window of a pattern, known by the low half of its hash.
  struct Entry {
    std::uint32_t hash = 0;
    std::uint32_t pattern_and_step = 0;  ///< index * step + 0 .. step - 1
  };

  std::vector<Place> places;
  crypto::SecretBytes bytes;  ///< all patterns, one after another
  std::size_t longest = 0;
  std::size_t step = 8;          ///< every so many bytes of the data are looked at: 4 or 8
  bool has_zero_window = false;  ///< then runs of zeros cannot be skipped

  // Both are indexed by the upper bits of one hash: a bit says that a window may be one of ours,
  // bucket i holds which: entries from bucket_ends[i] to before bucket_ends[i + 1].
  unsigned bit_shift = 0;
  unsigned bucket_shift = 0;
  WipedVector<std::uint64_t> bits;
  WipedVector<std::uint32_t> bucket_ends;
  WipedVector<Entry> entries;

  [[nodiscard]] static std::uint64_t hash(std::uint64_t window) noexcept {
    return window * 0x9E3779B97F4A7C15U;
  }

  /// 1 when a window of this hash may be one of ours, else 0.
  [[nodiscard]] unsigned may_be_ours(std::uint64_t hash) const noexcept {
    const std::uint64_t bit = hash >> bit_shift;
    return static_cast<unsigned>(bits[bit >> 6U] >> (bit & 63U) & 1U);
  }

  [[nodiscard]] ByteView pattern(std::size_t index) const noexcept {
    return bytes.view().subspan(places[index].offset, places[index].size);
  }
};

}  // namespace imprint::image
