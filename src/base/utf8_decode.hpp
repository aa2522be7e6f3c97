#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace imprint::utf8 {

struct Decoded {
  char32_t code_point;
  std::size_t size_bytes;
};

/// The code point at `offset` (which must be inside `text`), or none when no valid sequence starts
/// there.
[[nodiscard]] std::optional<Decoded> decode(std::string_view text, std::size_t offset) noexcept;

/// The class of a forbidden code point ("control character", ...), empty for one that a name may
/// hold.
[[nodiscard]] std::string_view forbidden_class(char32_t code_point) noexcept;

}  // namespace imprint::utf8
