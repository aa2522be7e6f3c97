#pragma once

#include <string>
#include <string_view>

#include "imprint/base/result.hpp"

/// What a certificate's key is for, and the object identifiers that say so.
namespace imprint::crypto {

/// 2.5.29.37.0: a wildcard that RFC 5280 4.2.1.12 allows, and several verifiers do not take for
/// clientAuth.
inline constexpr std::string_view kAnyExtendedKeyUsage = "2.5.29.37.0";
inline constexpr std::string_view kClientAuthentication = "1.3.6.1.5.5.7.3.2";

/// Refuses what is no object identifier in dotted form (X.660): two arcs at least, the first 0 to
/// 2, the second under 40 below 0 and 1, no leading zeros. At most 128 characters.
[[nodiscard]] Result<> check_object_id(std::string_view dotted);

/// Dotted identifier of a purpose: `clientAuth`, `serverAuth`, `codeSigning`, `emailProtection`,
/// `timeStamping`, `OCSPSigning`, `ipsecIKE`, `anyExtendedKeyUsage`, or dotted already. The error
/// names the nearest word.
[[nodiscard]] Result<std::string> extended_key_usage_id(std::string_view word_or_dotted);

/// The word for a purpose that has one, else its dotted identifier.
[[nodiscard]] std::string extended_key_usage_word(std::string_view word_or_dotted);

}  // namespace imprint::crypto
