#include "fat_names.hpp"

#include <algorithm>
#include <array>
#include <clocale>
#include <cstdint>
#include <cwctype>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"

namespace imprint::image {
namespace {

constexpr std::size_t kBaseBytes = 8;
constexpr std::size_t kShortBytes = 11;
constexpr std::size_t kCaseFlags = 12;
constexpr std::size_t kMaxUnits = 255;

/// Code page 437 from 0x80 on.
constexpr std::u16string_view kCodePage437 =
    u"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄"
    u"▌▐▀"
    u"αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0";
static_assert(kCodePage437.size() == 128);

void append_utf8(std::string& to, char32_t code_point) {
  const auto put = [&to](char32_t byte) { to.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6U));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12U));
    put(0x80 | ((code_point >> 6U) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18U));
    put(0x80 | ((code_point >> 12U) & 0x3F));
    put(0x80 | ((code_point >> 6U) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

/// Code points of valid UTF-8.
[[nodiscard]] std::u32string code_points(std::string_view text) {
  std::u32string points;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if ((byte & 0xC0U) == 0x80U && !points.empty()) {
      points.back() = (points.back() << 6U) | (byte & 0x3FU);
    } else {
      points.push_back(byte < 0x80 ? byte : byte < 0xE0 ? byte & 0x1FU : byte & 0x0FU);
      if (byte >= 0xF0) points.back() = byte & 0x07U;
    }
  }
  return points;
}

/// One of the two parts of an 8.3 name, without the spaces that fill it.
void append_part(std::string& to, ByteView part, bool lower) {
  std::size_t size = part.size();
  while (size > 0 && part[size - 1] == std::byte{' '})
    --size;
  for (const std::byte byte : part.first(size)) {
    const auto value = std::to_integer<unsigned char>(byte);
    const bool is_upper = value >= 'A' && value <= 'Z';
    if (value >= 0x80) {
      append_utf8(to, kCodePage437[value - 0x80U]);
    } else {
      to.push_back(static_cast<char>(is_upper && lower ? value + ('a' - 'A') : value));
    }
  }
}

[[nodiscard]] bool is_device_name(std::string_view name) {
  // Those that mtools gives to nothing; to DOS and Windows they are devices.
  constexpr std::array<std::string_view, 15> kDevices{"con",  "prn",  "aux",  "nul",  "clock$",
                                                      "com1", "com2", "com3", "com4", "lpt1",
                                                      "lpt2", "lpt3", "lpt4", "com",  "lpt"};
  return std::ranges::any_of(
      kDevices, [&](std::string_view device) { return equal_ignoring_ascii_case(device, name); });
}

}  // namespace

std::string short_name_of(ByteView entry) {
  constexpr unsigned kLowerBase = 0x08;
  constexpr unsigned kLowerExtension = 0x10;
  const auto flags = std::to_integer<unsigned>(entry[kCaseFlags]);
  Bytes name(entry.begin(), entry.begin() + kShortBytes);
  // 0xE5 would say that the entry is free.
  if (name.front() == std::byte{0x05}) name.front() = std::byte{0xE5};
  std::string text;
  append_part(text, ByteView(name).first(kBaseBytes), (flags & kLowerBase) != 0);
  std::string extension;
  append_part(extension, ByteView(name).subspan(kBaseBytes), (flags & kLowerExtension) != 0);
  if (!extension.empty()) text += "." + extension;
  return text;
}

std::byte short_name_checksum(ByteView entry) noexcept {
  unsigned sum = 0;
  for (const std::byte byte : entry.first(kShortBytes)) {
    sum = (((sum & 1U) << 7U) + (sum >> 1U) + std::to_integer<unsigned>(byte)) & 0xFFU;
  }
  return static_cast<std::byte>(sum);
}

std::optional<std::string> from_utf16(std::span<const char16_t> units) {
  std::string text;
  for (std::size_t i = 0; i < units.size(); ++i) {
    char32_t code_point = units[i];
    if (code_point >= 0xD800 && code_point < 0xE000) {
      const bool is_pair = code_point < 0xDC00 && i + 1 < units.size() && units[i + 1] >= 0xDC00 &&
                           units[i + 1] < 0xE000;
      if (!is_pair) return std::nullopt;
      ++i;
      code_point = 0x10000 + ((code_point - 0xD800) << 10U) + (units[i] - 0xDC00U);
    }
    append_utf8(text, code_point);
  }
  return text;
}

std::size_t utf16_length(std::string_view name) noexcept {
  std::size_t units = 0;
  for (const char character : name) {
    const auto byte = static_cast<unsigned char>(character);
    if ((byte & 0xC0U) != 0x80U) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

bool is_plain_name(std::string_view name) noexcept {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

Result<> check_new_name(std::string_view name) {
  const auto refuse = [&](std::string_view rule) -> Result<> {
    return fail(Code::invalid_input, fmt::format("{} is no name for FAT: {}", quoted(name), rule));
  };
  if (name.empty() || name == "." || name == "..") return refuse("it names no file");
  if (utf8::first_invalid(name)) return refuse("it is not valid UTF-8");
  const auto is_control = [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte < 0x20 || byte == 0x7F;
  };
  if (std::ranges::any_of(name, is_control)) return refuse("it has a control character");
  constexpr std::string_view kReserved = "\"*/:<>?\\|";
  if (const auto found = name.find_first_of(kReserved); found != std::string_view::npos) {
    return refuse(fmt::format("it has {}", quoted(name.substr(found, 1))));
  }
  if (name.ends_with('.') || name.ends_with(' ')) return refuse("it ends with a dot or a space");
  if (utf16_length(name) > kMaxUnits) {
    return refuse(fmt::format("it has more than {} characters", kMaxUnits));
  }
  const auto beyond = [](char character) { return static_cast<unsigned char>(character) >= 0xF0; };
  if (std::ranges::any_of(name, beyond)) return refuse("it has a character above U+FFFF");
  if (is_device_name(name)) return refuse("it names a device of DOS");
  return {};
}

bool same_name(std::string_view a, std::string_view b) {
  if (equal_ignoring_ascii_case(a, b)) return true;
  // mtools runs in this locale too.
  static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
  if (locale == locale_t{} || utf8::first_invalid(a) || utf8::first_invalid(b)) return false;
  const auto upper = [](char32_t point) {
    return ::towupper_l(static_cast<wint_t>(point), locale);
  };
  return std::ranges::equal(code_points(a), code_points(b), {}, upper, upper);
}

}  // namespace imprint::image
