#include "varint.hpp"

#include <algorithm>

namespace imprint::golden {

Varint::Varint(std::uint64_t value) noexcept {
  for (; value >= 0x80; value >>= 7)
    bytes[length++] = static_cast<std::byte>(value | 0x80);
  bytes[length++] = static_cast<std::byte>(value);
}

std::optional<std::uint64_t> take_varint(ByteView& rest) noexcept {
  constexpr std::size_t kLongest = 10;
  std::uint64_t value = 0;
  const std::size_t available = std::min(rest.size(), kLongest);
  for (std::size_t i = 0; i < available; ++i) {
    const auto group = std::to_integer<std::uint64_t>(rest[i]);
    // The tenth byte holds bit 63 alone.
    if (i == kLongest - 1 && group > 1) return std::nullopt;
    value |= (group & 0x7f) << (7 * i);
    if ((group & 0x80) != 0) continue;
    if (group == 0 && i > 0) return std::nullopt;
    rest = rest.subspan(i + 1);
    return value;
  }
  return std::nullopt;
}

}  // namespace imprint::golden
