#pragma once

#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

namespace imprint::crypto {

/// Attributes a subject may hold. The words are the manifest's: CN O OU C ST L emailAddress
/// serialNumber.
enum class NameField {
  common_name,
  organization,
  organizational_unit,
  country,
  state,
  locality,
  email_address,
  serial_number
};

[[nodiscard]] std::string_view word(NameField field) noexcept;
[[nodiscard]] Result<NameField> parse_name_field(std::string_view word);

/// Refuses what RFC 5280 (upper bounds in characters, alphabets) or good sense (control,
/// bidirectional and format characters, invalid UTF-8, empty) forbids in this attribute, whatever
/// verifiers would let through (they let nearly all through). The message says the rule: "65
/// characters; a CN may have at most 64 (RFC 5280)".
[[nodiscard]] Result<> check_name_value(NameField field, std::string_view value);

/// hardware_module is the otherName hardwareModuleName (RFC 4108): SEQUENCE { hwType OBJECT
/// IDENTIFIER, hwSerialNum OCTET STRING }, for IEEE 802.1AR.
enum class AltNameKind { dns, ip, uri, email, hardware_module };

/// A subject alternative name as the manifest writes it, split at the first colon: `DNS:a.example`,
/// `IP:192.0.2.1`, `URI:urn:x:1`, `email:a@b.example`, `hardwareModuleName:OID;SERIAL`. An unknown
/// prefix is an error that names the known ones, and so is an OID that is none.
struct AltNameText {
  AltNameKind kind{};
  std::string_view value;               ///< of a hardware module: its serial number
  std::string_view hardware_type = {};  ///< of a hardware module: its OID, dotted
};

[[nodiscard]] std::string_view word(AltNameKind kind) noexcept;
[[nodiscard]] Result<AltNameText> split_alt_name(std::string_view text);

/// Refuses a value that is no such name: DNS by LDH labels (RFC 1123, one leading `*.` allowed,
/// 63/253 limits; case is kept), IP by inet_pton, URI by scheme and RFC 3986 characters, email by
/// RFC 822 addr-spec in ASCII, the serial number of a hardware module by being UTF-8 text of at
/// most 64 characters, none of them a control character.
[[nodiscard]] Result<> check_alt_name(AltNameKind kind, std::string_view value);

/// Refuses a name with `*` that verifiers of servers do not take: it stands alone as the leftmost
/// label, over two labels at least (RFC 6125 6.4.3). Says nothing of the other labels.
[[nodiscard]] Result<> check_wildcard(std::string_view name);

/// Content octets: of the GeneralName text, or 4/16 address octets for IP; of hwSerialNum for a
/// hardware module. The value has passed check_alt_name.
[[nodiscard]] Bytes alt_name_octets(AltNameKind kind, std::string_view value);

}  // namespace imprint::crypto
