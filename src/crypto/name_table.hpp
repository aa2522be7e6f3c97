#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "imprint/crypto/name.hpp"
#include "openssl.hpp"

namespace imprint::crypto {

/// How one subject attribute is checked and encoded.
struct NameFieldRow {
  NameField field;
  std::string_view word;
  int nid;
  std::uint8_t tag;  ///< DER tag of its value: UTF8String 0c, PrintableString 13, IA5String 16
  std::size_t max_characters;
  std::string_view rule;  ///< where the limit comes from
};

[[nodiscard]] const NameFieldRow& row_of(NameField field) noexcept;

/// DER tag of a GeneralName: [0] otherName, [1] rfc822Name, [2] dNSName, [6] URI, [7] iPAddress.
[[nodiscard]] std::uint8_t tag_of(AltNameKind kind) noexcept;

/// Writes alt_name_octets into `into` (at least 16 bytes for IP) and returns what was written; text
/// needs no room and is returned as it is.
[[nodiscard]] ByteView alt_name_content(AltNameKind kind, std::string_view value,
                                        MutableBytes into) noexcept;

}  // namespace imprint::crypto
