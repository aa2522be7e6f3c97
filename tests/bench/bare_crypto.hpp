#pragma once

#include <array>
#include <cstdlib>
#include <memory>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "imprint/crypto/key.hpp"

namespace imprint::bench {

/// How OpenSSL calls a kind of key.
struct OpensslKind {
  const char* algorithm;
  const char* group;   // null: none
  int rsa_bits;        // 0: no RSA
  const char* digest;  // null: Ed25519
};

inline OpensslKind openssl_kind(crypto::KeyKind kind) {
  switch (kind) {
    case crypto::KeyKind::ec_p256:
      return {"EC", "P-256", 0, "SHA256"};
    case crypto::KeyKind::ec_p384:
      return {"EC", "P-384", 0, "SHA384"};
    case crypto::KeyKind::ec_p521:
      return {"EC", "P-521", 0, "SHA512"};
    case crypto::KeyKind::ed25519:
      return {"ED25519", nullptr, 0, nullptr};
    default:
      return {"RSA", nullptr, 2048, "SHA256"};
  }
}

/// What no software signer can avoid: EVP_PKEY_generate for the device and one signature by the CA,
/// on contexts made once, with a library context of its own. For one thread.
class BareCrypto {
 public:
  BareCrypto(crypto::KeyKind device, crypto::KeyKind ca) {
    const OpensslKind made = openssl_kind(device);
    generate_ = generator(made);
    const OpensslKind signs = openssl_kind(ca);
    EVP_PKEY_CTX* const once = generator(signs);
    EVP_PKEY_generate(once, &ca_);
    EVP_PKEY_CTX_free(once);
    if (signs.digest == nullptr) {
      message_ = EVP_MD_CTX_new();
      return;
    }
    EVP_MD* const digest = EVP_MD_fetch(library_, signs.digest, nullptr);
    digest_bytes_ = static_cast<std::size_t>(EVP_MD_get_size(digest));
    sign_ = EVP_PKEY_CTX_new_from_pkey(library_, ca_, nullptr);
    EVP_PKEY_sign_init(sign_);
    if (signs.rsa_bits != 0) EVP_PKEY_CTX_set_rsa_padding(sign_, RSA_PKCS1_PADDING);
    EVP_PKEY_CTX_set_signature_md(sign_, digest);
    EVP_MD_free(digest);
  }

  BareCrypto(const BareCrypto&) = delete;
  BareCrypto& operator=(const BareCrypto&) = delete;

  ~BareCrypto() {
    EVP_MD_CTX_free(message_);
    EVP_PKEY_CTX_free(sign_);
    EVP_PKEY_CTX_free(generate_);
    EVP_PKEY_free(ca_);
    OSSL_LIB_CTX_free(library_);
  }

  void make_key() const {
    EVP_PKEY* key = nullptr;
    if (EVP_PKEY_generate(generate_, &key) != 1) std::abort();
    EVP_PKEY_free(key);
  }

  void sign() const {
    // About a certificate's size for Ed25519, which signs the whole of it.
    static constexpr std::array<unsigned char, 600> kInput{};
    std::array<unsigned char, 1024> signature{};
    std::size_t size = signature.size();
    const bool ok =
        sign_ != nullptr
            ? EVP_PKEY_sign(sign_, signature.data(), &size, kInput.data(), digest_bytes_) == 1
            : EVP_MD_CTX_reset(message_) == 1 &&
                  EVP_DigestSignInit_ex(message_, nullptr, nullptr, library_, nullptr, ca_,
                                        nullptr) == 1 &&
                  EVP_DigestSign(message_, signature.data(), &size, kInput.data(), kInput.size()) ==
                      1;
    if (!ok) std::abort();
  }

 private:
  EVP_PKEY_CTX* generator(const OpensslKind& kind) const {
    EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(library_, kind.algorithm, nullptr);
    EVP_PKEY_keygen_init(context);
    if (kind.group != nullptr) EVP_PKEY_CTX_set_group_name(context, kind.group);
    if (kind.rsa_bits != 0) EVP_PKEY_CTX_set_rsa_keygen_bits(context, kind.rsa_bits);
    return context;
  }

  OSSL_LIB_CTX* library_ = OSSL_LIB_CTX_new();
  EVP_PKEY* ca_ = nullptr;
  EVP_PKEY_CTX* generate_ = nullptr;
  EVP_PKEY_CTX* sign_ = nullptr;
  EVP_MD_CTX* message_ = nullptr;
  std::size_t digest_bytes_ = 0;
};

}  // namespace imprint::bench
