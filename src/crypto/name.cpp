#include "imprint/crypto/name.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "ascii.hpp"
#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"
#include "name_table.hpp"

namespace imprint::crypto {

namespace {

constexpr std::array<NameFieldRow, 8> kFields = {{
    {NameField::common_name, "CN", NID_commonName, 0x0c, 64, "RFC 5280"},
    {NameField::organization, "O", NID_organizationName, 0x0c, 64, "RFC 5280"},
    {NameField::organizational_unit, "OU", NID_organizationalUnitName, 0x0c, 64, "RFC 5280"},
    {NameField::country, "C", NID_countryName, 0x13, 2, "RFC 5280"},
    {NameField::state, "ST", NID_stateOrProvinceName, 0x0c, 128, "RFC 5280"},
    {NameField::locality, "L", NID_localityName, 0x0c, 128, "RFC 5280"},
    // RFC 5280 says 255; RFC 3280 said 128, and OpenSSL still does.
    {NameField::email_address, "emailAddress", NID_pkcs9_emailAddress, 0x16, 128, "RFC 3280"},
    {NameField::serial_number, "serialNumber", NID_serialNumber, 0x13, 64, "RFC 5280"},
}};

bool is_printable_string(std::string_view value) {
  return std::ranges::all_of(value, [](char c) {
    return is_alphanumeric(c) || std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
  });
}

Result<> check_alphabet(NameField field, std::string_view value) {
  switch (field) {
    case NameField::country:
      if (value.size() != 2 || !std::ranges::all_of(value, is_upper)) {
        return fail(Code::invalid_input,
                    quoted(value) + " is no country; C takes the two capital letters of ISO 3166");
      }
      return {};
    case NameField::serial_number:
      if (!is_printable_string(value)) {
        return fail(Code::invalid_input,
                    quoted(value) +
                        " has a character that serialNumber cannot hold; it takes letters, digits, "
                        "space and '()+,-./:=? (PrintableString, RFC 5280)");
      }
      return {};
    case NameField::email_address:
      return check_alt_name(AltNameKind::email, value);
    default:
      return {};
  }
}

}  // namespace

const NameFieldRow& row_of(NameField field) noexcept {
  return kFields.at(static_cast<std::size_t>(field));
}

std::string_view word(NameField field) noexcept {
  return row_of(field).word;
}

Result<NameField> parse_name_field(std::string_view word) {
  std::array<std::string_view, kFields.size()> known;
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    if (kFields[i].word == word) return kFields[i].field;
    known[i] = kFields[i].word;
  }
  const auto meant = nearest(word, known);
  return fail(Code::invalid_input,
              fmt::format("{} is no subject attribute; {}", quoted(word),
                          meant ? "did you mean " + quoted(*meant) + "?"
                                : "known are " + fmt::format("{}", fmt::join(known, ", "))));
}

Result<> check_name_value(NameField field, std::string_view value) {
  const NameFieldRow& row = row_of(field);
  if (value.empty()) {
    return fail(Code::invalid_input, fmt::format("{} is empty; give it a value", row.word));
  }
  if (const auto offset = utf8::first_invalid(value)) {
    return fail(Code::invalid_input,
                fmt::format("{} is not valid UTF-8 at byte {}", row.word, *offset + 1));
  }
  if (const auto reason = utf8::forbidden_character(value)) {
    return fail(Code::invalid_input, fmt::format("{} holds {}; remove it", row.word, *reason));
  }
  if (const std::size_t length = utf8::length(value);
      length > row.max_characters && field != NameField::country) {
    return fail(
        Code::invalid_input,
        fmt::format("{} characters; {} {} may have at most {} ({})", length,
                    row.word == "O" || row.word == "OU" || row.word == "emailAddress" ? "an" : "a",
                    row.word, row.max_characters, row.rule));
  }
  return check_alphabet(field, value);
}

}  // namespace imprint::crypto
