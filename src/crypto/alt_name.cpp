#include <algorithm>
#include <arpa/inet.h>
#include <array>

#include <fmt/format.h>

#include "ascii.hpp"
#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"
#include "imprint/crypto/name.hpp"
#include "imprint/crypto/usage.hpp"
#include "name_table.hpp"

namespace imprint::crypto {

namespace {

struct AltNameRow {
  AltNameKind kind;
  std::string_view word;
  std::uint8_t tag;
};

constexpr std::array<AltNameRow, 5> kKinds = {{
    {AltNameKind::dns, "DNS", 0x82},
    {AltNameKind::ip, "IP", 0x87},
    {AltNameKind::uri, "URI", 0x86},
    {AltNameKind::email, "email", 0x81},
    {AltNameKind::hardware_module, "hardwareModuleName", 0xa0},
}};

const AltNameRow& row_of(AltNameKind kind) noexcept {
  return kKinds.at(static_cast<std::size_t>(kind));
}

constexpr std::size_t kMaxAddressBytes = 16;

Unexpected refuse(std::string_view value, std::string_view rule) {
  return fail(Code::invalid_input, fmt::format("{} {}", quoted(value), rule));
}

// Calls `check` for each part between `separator`s until one returns a rule that is broken.
template <class Check>
std::string_view first_broken(std::string_view text, char separator, Check check) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (const std::string_view rule = check(text.substr(0, end)); !rule.empty()) return rule;
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
}

std::string_view broken_label_rule(std::string_view label) {
  if (label.empty()) return "has an empty label (two dots, or a dot at an end)";
  if (label.size() > 63) return "has a label of more than 63 characters (RFC 1035)";
  if (label.front() == '-' || label.back() == '-') {
    return "has a label that starts or ends with '-' (RFC 1123)";
  }
  if (!std::ranges::all_of(label, [](char c) { return is_alphanumeric(c) || c == '-'; })) {
    return "has a character that no host name has; use letters, digits, '-' and '.', and punycode "
           "for others (RFC 1123)";
  }
  return {};
}

std::string_view broken_host_rule(std::string_view host) {
  if (host.empty()) return "is empty";
  if (host.size() > 253) return "has more than 253 characters (RFC 1035)";
  return first_broken(host, '.', broken_label_rule);
}

Result<> check_dns(std::string_view value) {
  const std::string_view host = value.starts_with("*.") ? value.substr(2) : value;
  if (const std::string_view rule = broken_host_rule(host); !rule.empty()) {
    return refuse(value, fmt::format("is no DNS name: it {}", rule));
  }
  if (value.size() > 253)
    return refuse(value, "is no DNS name: it has more than 253 characters (RFC 1035)");
  return {};
}

std::size_t parse_address(std::string_view value, MutableBytes into) noexcept {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (value.size() >= text.size() || value.find('\0') != std::string_view::npos) return 0;
  std::ranges::copy(value, text.begin());
  if (inet_pton(AF_INET, text.data(), into.data()) == 1) return 4;
  if (inet_pton(AF_INET6, text.data(), into.data()) == 1) return 16;
  return 0;
}

Result<> check_ip(std::string_view value) {
  std::array<std::byte, kMaxAddressBytes> address{};
  if (parse_address(value, address) == 0) {
    return refuse(value, "is no IP address; write it like 192.0.2.1 or 2001:db8::1");
  }
  return {};
}

bool is_uri_character(char c) {
  return is_alphanumeric(c) ||
         std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

Result<> check_uri(std::string_view value) {
  const std::size_t colon = value.find(':');
  const std::string_view scheme = value.substr(0, colon);
  if (colon == std::string_view::npos || scheme.empty() || !is_letter(scheme.front()) ||
      !std::ranges::all_of(
          scheme, [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; })) {
    return refuse(value,
                  "is no URI; it has to start with a scheme, like urn: or https: (RFC 3986)");
  }
  const std::string_view rest = value.substr(colon + 1);
  if (rest.empty()) return refuse(value, "is no URI: nothing follows its scheme (RFC 3986)");
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (!is_uri_character(rest[i])) {
      return refuse(value, "is no URI: a character has to be percent-encoded (RFC 3986)");
    }
    if (rest[i] == '%' &&
        (i + 2 >= rest.size() || !is_hex_digit(rest[i + 1]) || !is_hex_digit(rest[i + 2]))) {
      return refuse(value,
                    "is no URI: '%' has to be followed by two hexadecimal digits (RFC 3986)");
    }
  }
  return {};
}

std::string_view broken_atom_rule(std::string_view atom) {
  if (atom.empty()) return "has an empty part before '@'";
  if (!std::ranges::all_of(atom, [](char c) {
        return is_alphanumeric(c) ||
               std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
      })) {
    return "has a character before '@' that no address has";
  }
  return {};
}

Result<> check_email(std::string_view value) {
  const std::size_t at = value.rfind('@');
  std::string_view rule;
  if (at == std::string_view::npos) {
    rule = "has no '@'";
  } else if (at > 64) {
    rule = "has more than 64 characters before '@'";
  } else {
    rule = first_broken(value.substr(0, at), '.', broken_atom_rule);
    if (rule.empty()) rule = broken_host_rule(value.substr(at + 1));
  }
  if (!rule.empty()) {
    return refuse(value, fmt::format("is no mail address: it {} (RFC 5321)", rule));
  }
  return {};
}

// RFC 4108 sets hwSerialNum no limit; that of the serialNumber attribute, with which IEEE 802.1AR
// pairs it, keeps the two equal.
Result<> check_hardware_serial(std::string_view value) {
  constexpr std::size_t kMaxCharacters = 64;
  if (value.empty()) {
    return fail(Code::invalid_input, "a hardwareModuleName needs a serial number (RFC 4108)");
  }
  if (utf8::first_invalid(value)) {
    return fail(Code::invalid_input, "the hardware serial number is not valid UTF-8");
  }
  if (const auto reason = utf8::forbidden_character(value)) {
    return fail(Code::invalid_input,
                fmt::format("the hardware serial number holds {}; remove it", *reason));
  }
  if (const std::size_t length = utf8::length(value); length > kMaxCharacters) {
    return fail(Code::invalid_input,
                fmt::format("{} characters; a hardware serial number may have at most {}", length,
                            kMaxCharacters));
  }
  return {};
}

Result<AltNameText> split_hardware_module(std::string_view text) {
  const std::size_t semicolon = text.find(';');
  if (semicolon == std::string_view::npos) {
    return refuse(text,
                  "is no hardwareModuleName: write OID;SERIAL, like 1.3.6.1.4.1.99999.1;{serial}");
  }
  const AltNameText name{AltNameKind::hardware_module, text.substr(semicolon + 1),
                         text.substr(0, semicolon)};
  IMPRINT_TRY(check_object_id(name.hardware_type).context("hardwareModuleName"));
  return name;
}

}  // namespace

std::uint8_t tag_of(AltNameKind kind) noexcept {
  return row_of(kind).tag;
}

std::string_view word(AltNameKind kind) noexcept {
  return row_of(kind).word;
}

Result<AltNameText> split_alt_name(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    for (const AltNameRow& row : kKinds) {
      if (!equal_ignoring_ascii_case(row.word, text.substr(0, colon))) continue;
      const std::string_view value = text.substr(colon + 1);
      if (row.kind == AltNameKind::hardware_module) return split_hardware_module(value);
      return AltNameText{row.kind, value};
    }
  }
  return fail(Code::invalid_input,
              quoted(text) +
                  " has no known prefix; write DNS:, IP:, URI:, email: or hardwareModuleName: "
                  "before the name");
}

Result<> check_alt_name(AltNameKind kind, std::string_view value) {
  switch (kind) {
    case AltNameKind::dns:
      return check_dns(value);
    case AltNameKind::ip:
      return check_ip(value);
    case AltNameKind::uri:
      return check_uri(value);
    case AltNameKind::email:
      return check_email(value);
    case AltNameKind::hardware_module:
      return check_hardware_serial(value);
  }
  return fail(Code::internal, "unknown kind of subject alternative name");
}

Result<> check_wildcard(std::string_view name) {
  const std::string_view below = name.starts_with("*.") ? name.substr(2) : std::string_view();
  if (below.empty() || below.find('*') != std::string_view::npos) {
    return fail(Code::invalid_input,
                fmt::format("{} is no wildcard that clients take: '*' has to stand alone as the "
                            "first label, like *.example.com (RFC 6125)",
                            quoted(name)));
  }
  if (below.find('.') == std::string_view::npos) {
    return fail(Code::invalid_input,
                fmt::format("{} is a wildcard over a single label, which clients refuse; give two "
                            "labels at least after it, like *.example.com",
                            quoted(name)));
  }
  return {};
}

ByteView alt_name_content(AltNameKind kind, std::string_view value, MutableBytes into) noexcept {
  if (kind != AltNameKind::ip) return bytes_of(value);
  return into.first(parse_address(value, into));
}

Bytes alt_name_octets(AltNameKind kind, std::string_view value) {
  std::array<std::byte, kMaxAddressBytes> address{};
  const ByteView content = alt_name_content(kind, value, address);
  return {content.begin(), content.end()};
}

}  // namespace imprint::crypto
