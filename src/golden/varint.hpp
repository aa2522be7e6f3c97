#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "imprint/base/bytes.hpp"

namespace imprint::golden {

/// A number in base 128, low group first, high bit set on all bytes but the last (LEB128).
struct Varint {
  std::array<std::byte, 10> bytes{};
  std::size_t length = 0;

  explicit Varint(std::uint64_t value) noexcept;

  [[nodiscard]] ByteView view() const noexcept { return {bytes.data(), length}; }
};

/// Takes one varint off the front of `rest`; none, and `rest` as it was, when it is cut off, does
/// not fit 64 bits or is longer than need be (every number has one form, so every overlay has one
/// digest).
[[nodiscard]] std::optional<std::uint64_t> take_varint(ByteView& rest) noexcept;

}  // namespace imprint::golden
