#include "imprint/base/utf8.hpp"

#include <fmt/format.h>

#include "utf8_decode.hpp"

namespace imprint::utf8 {
namespace {

[[nodiscard]] unsigned byte_at(std::string_view text, std::size_t offset) noexcept {
  return static_cast<unsigned char>(text[offset]);
}

[[nodiscard]] bool is_between(char32_t code_point, char32_t first, char32_t last) noexcept {
  return first <= code_point && code_point <= last;
}

}  // namespace

std::optional<Decoded> decode(std::string_view text, std::size_t offset) noexcept {
  const unsigned lead = byte_at(text, offset);
  if (lead < 0x80) return Decoded{lead, 1};

  std::size_t size = 0;
  char32_t code_point = 0;
  char32_t smallest = 0;  // anything below has a shorter form: overlong
  if ((lead & 0xe0) == 0xc0) {
    size = 2, code_point = lead & 0x1f, smallest = 0x80;
  } else if ((lead & 0xf0) == 0xe0) {
    size = 3, code_point = lead & 0x0f, smallest = 0x800;
  } else if ((lead & 0xf8) == 0xf0) {
    size = 4, code_point = lead & 0x07, smallest = 0x10000;
  } else {
    return std::nullopt;
  }
  if (text.size() - offset < size) return std::nullopt;
  for (std::size_t i = 1; i < size; ++i) {
    const unsigned next = byte_at(text, offset + i);
    if ((next & 0xc0) != 0x80) return std::nullopt;
    code_point = (code_point << 6) | (next & 0x3f);
  }
  const bool surrogate = is_between(code_point, 0xd800, 0xdfff);
  if (code_point < smallest || code_point > 0x10ffff || surrogate) return std::nullopt;
  return Decoded{code_point, size};
}

std::string_view forbidden_class(char32_t code_point) noexcept {
  if (code_point < 0x20 || is_between(code_point, 0x7f, 0x9f)) return "control character";
  if (code_point < 0x80) return {};
  // U+061C, U+200E and U+200F are marks, the others embeddings, overrides and isolates.
  if (code_point == 0x061c || code_point == 0x200e || code_point == 0x200f ||
      is_between(code_point, 0x202a, 0x202e) || is_between(code_point, 0x2066, 0x2069)) {
    return "bidirectional control";
  }
  if (code_point == 0xfeff) return "byte order mark";
  if (code_point == 0x2028) return "line separator";
  if (code_point == 0x2029) return "paragraph separator";
  if (is_between(code_point, 0xfdd0, 0xfdef) || (code_point & 0xfffe) == 0xfffe) {
    return "noncharacter";
  }
  return {};
}

std::optional<std::size_t> first_invalid(std::string_view text) noexcept {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const auto decoded = decode(text, offset);
    if (!decoded) return offset;
    offset += decoded->size_bytes;
  }
  return std::nullopt;
}

std::size_t length(std::string_view text) noexcept {
  std::size_t count = 0;
  for (const char c : text) {
    const bool continuation = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    count += continuation ? 0 : 1;
  }
  return count;
}

std::optional<std::string> forbidden_character(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const auto decoded = decode(text, offset);
    if (!decoded) return "invalid UTF-8";
    const auto reason = forbidden_class(decoded->code_point);
    if (!reason.empty()) {
      return fmt::format("U+{:04X} ({})", static_cast<unsigned>(decoded->code_point), reason);
    }
    offset += decoded->size_bytes;
  }
  return std::nullopt;
}

}  // namespace imprint::utf8
