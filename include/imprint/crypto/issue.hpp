#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/crypto/mint.hpp"
#include "imprint/crypto/signer.hpp"

/// Certificates one at a time, for keys that may be somebody else's. Batches mint (mint.hpp).
namespace imprint::crypto {

/// The public half of a key whose private half need not be here. Immutable; copies share it.
class PublicKey {
 public:
  struct Native;  // EVP_PKEY

  explicit PublicKey(std::shared_ptr<const Native> native);

  /// From a SubjectPublicKeyInfo (`PUBLIC KEY`) or a PKCS#10 certificate request, in PEM or DER. Of
  /// a request only the key is taken, once the request's own signature proves that whoever made it
  /// holds the private half; the names in it are the requester's wishes. Code::unsupported for
  /// kinds of key that no device can have, and RSA exponents other than 65537.
  static Result<PublicKey> parse(ByteView pem_or_der);
  static Result<PublicKey> of(const PrivateKey& key);

  [[nodiscard]] KeyKind kind() const noexcept;
  [[nodiscard]] Result<Bytes> der() const;  ///< SubjectPublicKeyInfo

  [[nodiscard]] const Native& native() const noexcept { return *native_; }

 private:
  std::shared_ptr<const Native> native_;
};

/// A certificate after a profile, whose kind of key has to be this key's; `slots` as Profile
/// numbers them, checked like its constants. Built by OpenSSL, signed by `signer`, which is the
/// issuer's.
[[nodiscard]] Result<Certificate> issue_certificate(const ProfileSpec& spec,
                                                    std::span<const std::string_view> slots,
                                                    const PublicKey& key, const Certificate& issuer,
                                                    Signer& signer);

/// A certificate that its own key signs, and that is no CA's: a server's, for clients that trust
/// this one certificate. The profile has no slots, and its kind of key is this key's.
[[nodiscard]] Result<Certificate> make_self_signed_certificate(const ProfileSpec& spec,
                                                               const PrivateKey& key);

/// Issues a certificate of this profile that nobody gets, for a key of any kind, and verifies it
/// against the issuer as a TLS server would: what the CA forbids (its nameConstraints, for one)
/// shows before the first key is made. `slots` as for issue_certificate.
[[nodiscard]] Result<> verify_sample(const ProfileSpec& spec,
                                     std::span<const std::string_view> slots,
                                     const Certificate& issuer, Signer& signer,
                                     Strictness strictness);

/// An intermediate CA below `issuer`, otherwise as make_ca_certificate says.
[[nodiscard]] Result<Certificate> issue_ca_certificate(const CaSpec& spec, const PrivateKey& key,
                                                       const Certificate& issuer, Signer& signer);

}  // namespace imprint::crypto
