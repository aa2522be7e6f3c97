#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/crypto/name.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/crypto/signer.hpp"
#include "imprint/crypto/usage.hpp"

namespace imprint::crypto {

/// A subject attribute of a device certificate: the same on every device (`constant`), or filled
/// per device.
struct ProfileAttribute {
  NameField field{};
  std::optional<std::string> constant;
};

struct ProfileAltName {
  AltNameKind kind{};
  std::optional<std::string> constant;
  std::string hardware_type = {};  ///< of a hardware module: its OID; its serial is the value
};

/// What all certificates of a batch share, and where they differ. The attributes and names without
/// a constant are the slots, numbered from 0: first those of the subject, in order, then those of
/// the SAN.
struct ProfileSpec {
  KeyKind key = KeyKind::ec_p256;
  /// May be empty when there are names: the SAN is critical then (RFC 5280 4.2.1.6). It must hold
  /// more than hardware modules then, since Go refuses a critical SAN of which it knows no name.
  std::vector<ProfileAttribute> subject;
  std::vector<ProfileAltName> alt_names;
  TimePoint not_before;
  TimePoint not_after;  ///< kNoExpiry gives 99991231235959Z
  /// None: digitalSignature, for RSA also keyEncipherment. Empty: no keyUsage.
  std::optional<std::vector<KeyUsage>> key_usage = std::nullopt;
  /// `clientAuth`, `serverAuth`, ... or dotted object identifiers. Empty: no extendedKeyUsage.
  std::vector<std::string> extended_key_usage = {"clientAuth"};
  std::vector<std::string> policies = {};  ///< certificatePolicies, dotted
  bool basic_constraints = true;           ///< an empty one; DER has no other way to say "no CA"
  bool subject_key_identifier = true;
  bool authority_key_identifier = true;
};

/// The extensions that such certificates have, one line each, for people: `keyUsage (critical):
/// digitalSignature`.
[[nodiscard]] std::vector<std::string> describe_extensions(const ProfileSpec& spec);

/// A profile compiled to `constant DER | slot` (see src/crypto/profile.cpp). Immutable, shared by
/// all workers. Extensions as the spec says, in this order: basicConstraints critical (empty),
/// keyUsage critical, extendedKeyUsage, certificatePolicies, SKI, AKI (keyid = the issuer's SKI
/// byte for byte), SAN when there are names. The issuer name is the CA's subject byte for byte.
class Profile {
 public:
  struct Impl;
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  ~Profile();

  /// Refuses what no certificate should say: values that check_name_value and check_alt_name
  /// refuse, usages, purposes and policies that are malformed or said twice, usages that this kind
  /// of key cannot serve. Builds a sample with OpenSSL's X.509 builder, finds the slots in it and
  /// refuses if they cannot be found exactly once.
  static Result<std::shared_ptr<const Profile>> compile(ProfileSpec spec, const Certificate& issuer,
                                                        SignatureAlgorithm algorithm);

  [[nodiscard]] const ProfileSpec& spec() const noexcept;
  [[nodiscard]] std::size_t slot_count() const noexcept;

  /// Largest PEM sizes a device with these values can have (the signature and a P-521 or RSA key
  /// vary by a few bytes).
  struct PemSizes {
    std::size_t key_bytes = 0;
    std::size_t certificate_bytes = 0;
  };

  [[nodiscard]] PemSizes max_pem_sizes(std::span<const std::string_view> slots) const;

  /// The subject of a device with these values, as Certificate::subject_text gives it, without
  /// parsing the certificate. Replaces `text`, reusing its memory.
  void subject_text(std::span<const std::string_view> slots, std::string& text) const;

  [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

 private:
  explicit Profile(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

/// One device's new key and certificate.
struct Identity {
  SecretBytes key_pem;  ///< PKCS#8, unencrypted (the client loads it with an empty passphrase)
  std::string certificate_pem;
  std::array<std::byte, 16> serial{};
  Bytes certificate;                  ///< DER
  Bytes public_key;                   ///< SubjectPublicKeyInfo DER
  Sha256Digest certificate_sha256{};  ///< of the DER
  Sha256Digest public_key_sha256{};   ///< of the SubjectPublicKeyInfo DER
};

/// Makes identities of one profile, fast: one per worker, not thread-safe. The first identity, and
/// one in `verify_every` after it, is parsed back with OpenSSL and verified against the issuer, and
/// its key against its certificate.
class Minter {
 public:
  static Result<Minter> create(std::shared_ptr<const Profile> profile, const Certificate& issuer,
                               const Signer& signer, unsigned verify_every = 1000);
  Minter(Minter&&) noexcept;
  Minter& operator=(Minter&&) noexcept;
  Minter(const Minter&) = delete;
  Minter& operator=(const Minter&) = delete;
  ~Minter();

  /// `slots` as Profile numbers them; the values have passed check_name_value and check_alt_name.
  /// Reuses the buffers of `identity`.
  Result<> mint(std::span<const std::string_view> slots, Identity& identity);

 private:
  struct Impl;
  explicit Minter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace imprint::crypto
