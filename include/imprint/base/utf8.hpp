#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace imprint::utf8 {

/// Byte offset of the first invalid sequence (overlong forms, surrogates and values over U+10FFFF
/// are invalid), or none.
[[nodiscard]] std::optional<std::size_t> first_invalid(std::string_view text) noexcept;

/// Code points of valid UTF-8.
[[nodiscard]] std::size_t length(std::string_view text) noexcept;

/// Why a text that names a thing must be refused, or none: control characters (C0, C1, DEL),
/// bidirectional controls, the byte order mark, line and paragraph separators, noncharacters. The
/// text must be valid UTF-8. Example: "U+202E (bidirectional control)".
[[nodiscard]] std::optional<std::string> forbidden_character(std::string_view text);

}  // namespace imprint::utf8
