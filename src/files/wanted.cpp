#include "imprint/files/wanted.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::files {
namespace {

template <class Number>
[[nodiscard]] std::optional<Number> number(std::string_view text, int base) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::optional<unsigned>> parse_id(std::string_view text, std::string_view whole) {
  if (text.empty()) return std::optional<unsigned>();
  const auto id = number<std::uint32_t>(text, 10);
  // The highest one means "no change" to chown(2).
  if (!id || *id == UINT32_MAX) {
    return fail(Code::invalid_input,
                fmt::format("{} is no owner: give numbers, UID:GID, such as 0:0", quoted(whole)));
  }
  return std::optional<unsigned>(*id);
}

Result<Bytes> parse_value(std::string_view text) {
  if (!text.starts_with("0x")) {
    const ByteView bytes = bytes_of(text);
    return Bytes(bytes.begin(), bytes.end());
  }
  Bytes value;
  for (std::string_view digits = text.substr(2); !digits.empty();
       digits.remove_prefix(std::min<std::size_t>(2, digits.size()))) {
    const auto byte = number<unsigned>(digits.substr(0, 2), 16);
    if (!byte || digits.size() < 2) {
      return fail(Code::invalid_input, fmt::format("{} is no value in hex: 0x and an even number "
                                                   "of digits",
                                                   quoted(text)));
    }
    value.push_back(static_cast<std::byte>(*byte));
  }
  return value;
}

}  // namespace

Result<unsigned> parse_mode(std::string_view text) {
  constexpr unsigned kAllBits = 07777;
  const auto mode = number<unsigned>(text, 8);
  if (!mode || *mode > kAllBits) {
    return fail(Code::invalid_input,
                fmt::format("{} is no mode: give it in octal, such as 0600", quoted(text)));
  }
  return *mode;
}

Result<Owner> parse_owner(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  Owner owner;
  owner.uid = IMPRINT_TRY(parse_id(text.substr(0, colon), text));
  if (colon < text.size()) owner.gid = IMPRINT_TRY(parse_id(text.substr(colon + 1), text));
  if (!owner.uid && !owner.gid) {
    return fail(Code::invalid_input,
                fmt::format("{} is no owner: give numbers, UID:GID, such as 0:0", quoted(text)));
  }
  return owner;
}

Result<image::ExtendedAttribute> parse_extended_attribute(std::string_view text) {
  constexpr std::array<std::string_view, 4> kNamespaces{"user.", "security.", "trusted.",
                                                        "system."};
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const bool known = std::ranges::any_of(kNamespaces, [name](std::string_view prefix) {
    return name.starts_with(prefix) && name.size() > prefix.size();
  });
  if (equals == std::string_view::npos || !known) {
    return fail(Code::invalid_input,
                fmt::format("{} is no extended attribute: give NAME=VALUE with a name in user., "
                            "security., trusted. or system.",
                            quoted(text)));
  }
  auto value = IMPRINT_TRY(parse_value(text.substr(equals + 1)));
  return image::ExtendedAttribute{.name = std::string(name), .value = std::move(value)};
}

}  // namespace imprint::files
