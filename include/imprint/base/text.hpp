#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace imprint {

/// `'text'`, with control characters, quotes and invalid UTF-8 shown as escapes: safe for one line
/// of a terminal.
[[nodiscard]] std::string quoted(std::string_view text);

// Without these three, a std::string would find std::quoted of <iomanip>, which <filesystem> brings
// in.
[[nodiscard]] inline std::string quoted(const std::string& text) {
  return quoted(std::string_view(text));
}

[[nodiscard]] inline std::string quoted(std::string& text) {
  return quoted(std::string_view(text));
}

[[nodiscard]] inline std::string quoted(const char* text) {
  return quoted(std::string_view(text));
}

/// Escapes what `quoted` does, for text that stands by itself: quotes and backslashes stay.
[[nodiscard]] std::string printable(std::string_view text);

/// The known name nearest to `name` by edit distance, or none when nothing is near enough to be
/// meant.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view name,
                                                      std::span<const std::string_view> known);

/// ASCII lower case; other bytes stay.
[[nodiscard]] std::string to_lower_ascii(std::string_view text);
[[nodiscard]] bool equal_ignoring_ascii_case(std::string_view a, std::string_view b) noexcept;

/// Line and column (both from 1, columns in bytes) of a byte offset.
struct TextPosition {
  std::size_t line = 1;
  std::size_t column = 1;
};

[[nodiscard]] TextPosition position_of(std::string_view text, std::size_t offset) noexcept;

}  // namespace imprint
