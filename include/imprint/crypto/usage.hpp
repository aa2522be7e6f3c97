#pragma once

#include <span>
#include <string>
#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/crypto/key.hpp"

/// What a certificate's key is for, and the object identifiers that say so.
namespace imprint::crypto {

/// Bits of keyUsage that an end entity may have. The words are RFC 5280's: digitalSignature,
/// contentCommitment, keyEncipherment, dataEncipherment, keyAgreement.
enum class KeyUsage {
  digital_signature,
  content_commitment,
  key_encipherment,
  data_encipherment,
  key_agreement
};

[[nodiscard]] std::string_view word(KeyUsage usage) noexcept;

/// Also takes `nonRepudiation`, the older name of contentCommitment. The error names the nearest
/// word, and says of keyCertSign and cRLSign why no device has them.
[[nodiscard]] Result<KeyUsage> parse_key_usage(std::string_view word);

/// Refuses a usage said twice, and what this kind of key cannot be used for (RFC 3279, RFC 8813,
/// RFC 9295).
[[nodiscard]] Result<> check_key_usage(KeyKind key, std::span<const KeyUsage> usages);

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

/// Refuses a purpose that is none, and one said twice, by word or identifier.
[[nodiscard]] Result<> check_extended_key_usage(std::span<const std::string> purposes);

/// Refuses a policy that is no object identifier, and one said twice (RFC 5280 4.2.1.4).
[[nodiscard]] Result<> check_policies(std::span<const std::string> policies);

}  // namespace imprint::crypto
