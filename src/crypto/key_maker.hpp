#pragma once

#include "imprint/crypto/key.hpp"
#include "openssl.hpp"

namespace imprint::crypto {

/// Makes key pairs of one kind and lays out their encodings. One thread at a time; the views are
/// valid until the next call. The library context has to outlive it.
class KeyMaker {
 public:
  static Result<KeyMaker> create(OSSL_LIB_CTX* library, KeyKind kind);

  /// A new key pair in place of the last.
  Result<> generate();
  /// The same with a key from elsewhere, of the same kind: for tests, which fix keys.
  Result<> take(KeyPtr key);

  [[nodiscard]] ByteView pkcs8() const noexcept { return pkcs8_.view(); }  ///< secret

  [[nodiscard]] ByteView public_key_info() const noexcept { return public_key_info_; }

  /// What the BIT STRING of the SubjectPublicKeyInfo holds, without its unused-bits octet.
  [[nodiscard]] ByteView public_bits() const noexcept;

 private:
  /// Where a fixed-size encoding holds the two parts of a key pair.
  struct Layout {
    std::size_t private_size = 0;
    std::size_t public_size = 0;
    std::size_t private_at = 0;            // in the PKCS#8
    std::optional<std::size_t> public_at;  // in the PKCS#8; an Ed25519 one has none
  };

  explicit KeyMaker(KeyContextPtr generator) : generator_(std::move(generator)) {}

  Result<> encode();
  Result<> find_layout();
  bool fill_layout();
  bool read_pair(SecretBytes& private_part, Bytes& public_part) const;

  KeyContextPtr generator_;
  KeyPtr key_;
  SecretBytes pkcs8_;
  Bytes public_key_info_;
  std::optional<Layout> layout_;  // none: every key goes through OpenSSL's encoders
  SecretBytes private_part_;
  Bytes public_part_;
};

}  // namespace imprint::crypto
