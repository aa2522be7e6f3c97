#pragma once

#include <memory>

#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/issue.hpp"
#include "imprint/crypto/key.hpp"
#include "openssl.hpp"

/// What the opaque handles of the public headers hold.
namespace imprint::crypto {

struct PrivateKey::Native {
  KeyPtr key;
};

struct PublicKey::Native {
  KeyPtr key;
  KeyKind kind;
};

struct Certificate::Native {
  X509Ptr x509;  ///< extension cache filled, so that concurrent readers only read
  Bytes der;     ///< the very bytes it was parsed from
};

[[nodiscard]] inline PrivateKey wrap(KeyPtr key) {
  auto native = std::make_unique<PrivateKey::Native>();
  native->key = std::move(key);
  return PrivateKey(std::move(native));
}

[[nodiscard]] inline EVP_PKEY* native_of(const PrivateKey& key) noexcept {
  return key.native().key.get();
}

/// OpenSSL 3.0 takes `X509*` even where it only reads.
[[nodiscard]] inline X509* native_of(const Certificate& certificate) noexcept {
  return certificate.native().x509.get();
}

/// Certificate from exactly these DER bytes.
[[nodiscard]] Result<Certificate> certificate_from_der(ByteView der);

/// RFC 2253, but with UTF-8 as it is instead of escaped octets.
[[nodiscard]] std::string name_text(const X509_NAME* name);

[[nodiscard]] TimePoint time_point(const ASN1_TIME* time);

/// PKCS#8 PrivateKeyInfo of any supported key, through OpenSSL's encoder and secure memory only.
[[nodiscard]] Result<SecretBytes> encode_pkcs8(const EVP_PKEY* key);

/// The form that this type of key had before PKCS#8: PKCS#1 for RSA, SEC1 for EC. The same care.
[[nodiscard]] Result<SecretBytes> encode_traditional(const EVP_PKEY* key);

/// The inverse of encode_pkcs8, into a library context (null: the default one).
[[nodiscard]] Result<KeyPtr> decode_pkcs8(ByteView der, OSSL_LIB_CTX* library);

/// SubjectPublicKeyInfo.
[[nodiscard]] Result<Bytes> encode_public_key(EVP_PKEY* key);

/// Kind of any EVP_PKEY; Code::unsupported for those imprint does not handle.
[[nodiscard]] Result<KeyKind> kind_of(const EVP_PKEY* key);

/// Code::unsupported for an RSA key with another public exponent than 65537.
[[nodiscard]] Result<> check_exponent(const EVP_PKEY* key);

/// Context ready for EVP_PKEY_generate, reusable for many keys.
[[nodiscard]] Result<KeyContextPtr> make_generator(OSSL_LIB_CTX* library, KeyKind kind);

}  // namespace imprint::crypto
