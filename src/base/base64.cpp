#include "imprint/base/base64.hpp"

namespace imprint {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  unsigned held = 0;
  unsigned bits = 0;
  for (const std::byte byte : bytes) {
    held = (held << 8 | std::to_integer<unsigned>(byte)) & 0xffff;
    bits += 8;
    for (; bits >= 6; bits -= 6)
      text += kAlphabet[held >> (bits - 6) & 63];
  }
  if (bits > 0) text += kAlphabet[held << (6 - bits) & 63];
  while (text.size() % 4 != 0)
    text += '=';
  return text;
}

std::optional<Bytes> from_base64(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  unsigned held = 0;
  unsigned bits = 0;
  for (const char character : text.substr(0, text.find('='))) {
    const std::size_t value = kAlphabet.find(character);
    if (value == std::string_view::npos) return std::nullopt;
    held = (held << 6 | static_cast<unsigned>(value)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::byte>(held >> bits & 0xff));
  }
  // Padding, length and unused bits have one right form each.
  if (to_base64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace imprint
