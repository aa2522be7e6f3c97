#pragma once

#include <span>
#include <string_view>

#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/mint.hpp"
#include "openssl.hpp"

/// Certificates the slow and sure way, through OpenSSL's X.509 builder: the CA's own, the sample
/// from which a profile is compiled, and what tests compare the compiled profile with.
namespace imprint::crypto {

using Serial = std::array<std::byte, 16>;
using KeyIdentifier = std::array<std::byte, 20>;

/// 16 random bytes whose first has bit 7 clear and bit 6 set: positive, never led by 00, always 16
/// long.
[[nodiscard]] Result<> random_serial(OSSL_LIB_CTX* library, Serial& serial);

/// SHA-1 of the BIT STRING of the SubjectPublicKeyInfo (RFC 5280 4.2.1.2, method 1).
[[nodiscard]] Result<KeyIdentifier> key_identifier(EVP_PKEY* key);

/// The issuer's SKI byte for byte (it need not be SHA-1 of its key), or computed when it has none.
[[nodiscard]] Result<Bytes> authority_identifier(const Certificate& issuer);

/// One RDN with one attribute each, in this order. The values have passed check_name_value.
[[nodiscard]] Result<X509NamePtr> build_name(std::span<const SubjectAttribute> attributes);

/// What a device certificate has of its own.
struct DeviceValues {
  Serial serial{};
  KeyIdentifier key_identifier{};
  EVP_PKEY* public_key = nullptr;
  std::span<const std::string_view> slots;
};

/// DER of the TBSCertificate of such a device.
[[nodiscard]] Result<Bytes> build_device_tbs(const ProfileSpec& spec, const Certificate& issuer,
                                             SignatureAlgorithm algorithm,
                                             const DeviceValues& device);

/// The same where the certificate is its own issuer.
[[nodiscard]] Result<Bytes> build_self_signed_tbs(const ProfileSpec& spec,
                                                  SignatureAlgorithm algorithm,
                                                  const DeviceValues& device);

/// DER of the TBSCertificate of a CA: self-signed, or below `issuer` when there is one.
[[nodiscard]] Result<Bytes> build_ca_tbs(const CaSpec& spec, EVP_PKEY* key,
                                         const Certificate* issuer, SignatureAlgorithm algorithm);

/// DER of the certificate: the TBS, the algorithm and the signature put together.
[[nodiscard]] Bytes assemble_certificate(ByteView tbs, SignatureAlgorithm algorithm,
                                         ByteView signature);

}  // namespace imprint::crypto
