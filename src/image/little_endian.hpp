#pragma once

#include <cstddef>
#include <cstdint>

#include "imprint/base/bytes.hpp"

namespace imprint::image {

/// Appends the low `size` bytes of `value`, lowest first, to a container of bytes.
template <class Container>
void append_little_endian(Container& to, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    to.push_back(static_cast<std::byte>(value >> (8 * i)));
}

template <class Container>
void append_bytes(Container& to, ByteView bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

/// Walks through a length-prefixed form. After the first read beyond the end, `good` is false and
/// everything read is zero or empty: one check at the end of a record is enough.
class ByteCursor {
 public:
  explicit ByteCursor(ByteView bytes) : rest_(bytes) {}

  [[nodiscard]] bool good() const noexcept { return good_; }

  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    std::size_t shift = 0;
    for (const std::byte byte : bytes(size)) {
      value |= std::to_integer<std::uint64_t>(byte) << shift;
      shift += 8;
    }
    return value;
  }

  ByteView bytes(std::uint64_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const ByteView taken = rest_.first(static_cast<std::size_t>(size));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  ByteView rest_;
  bool good_ = true;
};

}  // namespace imprint::image
