#include "imprint/crypto/signer.hpp"

#include <array>
#include <optional>

#include <openssl/rsa.h>

#include "native.hpp"

namespace imprint::crypto {

namespace {

struct AlgorithmRow {
  std::string_view name;
  std::string_view identifier;  // DER of the AlgorithmIdentifier
  std::optional<HashAlgorithm> hash;
};

using namespace std::string_view_literals;

constexpr std::array<AlgorithmRow, 5> kAlgorithms = {{
    {"ecdsa-sha256", "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"sv, HashAlgorithm::sha256},
    {"ecdsa-sha384", "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"sv, HashAlgorithm::sha384},
    {"ecdsa-sha512", "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"sv, HashAlgorithm::sha512},
    {"rsa-sha256", "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"sv,
     HashAlgorithm::sha256},
    {"ed25519", "\x30\x05\x06\x03\x2b\x65\x70"sv, std::nullopt},
}};

const AlgorithmRow& row_of(SignatureAlgorithm algorithm) noexcept {
  return kAlgorithms.at(static_cast<std::size_t>(algorithm));
}

constexpr int kMinRsaBits = 2048;

/// Signs with a key in memory, and shares nothing with any other signer: OpenSSL 3.0 takes read
/// locks of the library context on many calls, and two threads on one context slow each other down.
class KeySigner final : public Signer {
 public:
  static Result<std::unique_ptr<Signer>> create(const EVP_PKEY* original,
                                                SignatureAlgorithm algorithm) {
    std::unique_ptr<KeySigner> signer(new KeySigner(algorithm));
    IMPRINT_TRY(signer->set_up(original));
    return std::unique_ptr<Signer>(std::move(signer));
  }

  [[nodiscard]] SignatureAlgorithm algorithm() const noexcept override { return algorithm_; }

  [[nodiscard]] std::size_t max_signature_bytes() const noexcept override {
    return static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  }

  Result<std::size_t> sign(ByteView input, MutableBytes signature) override {
    std::size_t size = signature.size();
    const bool ok = context_ != nullptr ? EVP_PKEY_sign(context_.get(), octets(signature), &size,
                                                        octets(input), input.size()) == 1
                                        : sign_whole(input, octets(signature), size);
    if (!ok) return fail(openssl_error(Code::crypto, "signing with the CA key"));
    return size;
  }

  [[nodiscard]] Result<std::unique_ptr<Signer>> clone() const override {
    return create(key_.get(), algorithm_);
  }

 private:
  explicit KeySigner(SignatureAlgorithm algorithm) : algorithm_(algorithm) {}

  Result<> set_up(const EVP_PKEY* original) {
    library_.reset(OSSL_LIB_CTX_new());
    const SecretBytes der = IMPRINT_TRY(encode_pkcs8(original));
    key_ = IMPRINT_TRY(decode_pkcs8(der.view(), library_.get()));
    const auto hash = hash_of(algorithm_);
    if (!hash) {
      message_context_.reset(EVP_MD_CTX_new());
      if (message_context_ != nullptr) return {};
      return fail(openssl_error(Code::crypto, "preparing the CA key"));
    }
    // Tells EVP_PKEY_sign how long the digest has to be; RSA encodes its name.
    const DigestPtr digest(EVP_MD_fetch(library_.get(), crypto::name(*hash), nullptr));
    context_.reset(EVP_PKEY_CTX_new_from_pkey(library_.get(), key_.get(), nullptr));
    bool ready =
        digest != nullptr && context_ != nullptr && EVP_PKEY_sign_init(context_.get()) == 1;
    if (ready && algorithm_ == SignatureAlgorithm::rsa_sha256) {
      ready = EVP_PKEY_CTX_set_rsa_padding(context_.get(), RSA_PKCS1_PADDING) == 1;
    }
    ready = ready && EVP_PKEY_CTX_set_signature_md(context_.get(), digest.get()) == 1;
    if (!ready) return fail(openssl_error(Code::crypto, "preparing the CA key"));
    return {};
  }

  bool sign_whole(ByteView message, unsigned char* signature, std::size_t& size) {
    return EVP_MD_CTX_reset(message_context_.get()) == 1 &&
           EVP_DigestSignInit_ex(message_context_.get(), nullptr, nullptr, library_.get(), nullptr,
                                 key_.get(), nullptr) == 1 &&
           EVP_DigestSign(message_context_.get(), signature, &size, octets(message),
                          message.size()) == 1;
  }

  // In this order: the context outlives what was made in it.
  LibraryContextPtr library_;
  SignatureAlgorithm algorithm_;
  KeyPtr key_;
  KeyContextPtr context_;  // of algorithms that sign a digest
  DigestContextPtr message_context_;
};

}  // namespace

std::string_view name(SignatureAlgorithm algorithm) noexcept {
  return row_of(algorithm).name;
}

std::optional<HashAlgorithm> hash_of(SignatureAlgorithm algorithm) noexcept {
  return row_of(algorithm).hash;
}

ByteView algorithm_identifier(SignatureAlgorithm algorithm) noexcept {
  return bytes_of(row_of(algorithm).identifier);
}

namespace {

Result<SignatureAlgorithm> algorithm_of(const EVP_PKEY* native) {
  // Any RSA size from 2048 may sign, also those that devices cannot have.
  if (EVP_PKEY_is_a(native, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(native);
    if (bits < kMinRsaBits) {
      return fail(Code::unsupported, "RSA with " + std::to_string(bits) +
                                         " bits is too weak for a CA; it takes 2048 or more");
    }
    IMPRINT_TRY(check_exponent(native));
    return SignatureAlgorithm::rsa_sha256;
  }
  switch (IMPRINT_TRY(kind_of(native))) {
    case KeyKind::ec_p256:
      return SignatureAlgorithm::ecdsa_sha256;
    case KeyKind::ec_p384:
      return SignatureAlgorithm::ecdsa_sha384;
    case KeyKind::ec_p521:
      return SignatureAlgorithm::ecdsa_sha512;
    case KeyKind::ed25519:
      return SignatureAlgorithm::ed25519;
    default:
      return SignatureAlgorithm::rsa_sha256;
  }
}

}  // namespace

Result<SignatureAlgorithm> signature_algorithm_of(const PrivateKey& key) {
  return algorithm_of(native_of(key));
}

Result<SignatureAlgorithm> signature_algorithm_of(const Certificate& certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(native_of(certificate));
  if (key == nullptr) {
    return fail(openssl_error(Code::unsupported, "the public key of the certificate"));
  }
  return algorithm_of(key);
}

std::size_t max_signature_bytes(const Certificate& certificate) noexcept {
  const EVP_PKEY* key = X509_get0_pubkey(native_of(certificate));
  return key != nullptr ? static_cast<std::size_t>(EVP_PKEY_get_size(key)) : 0;
}

Result<Bytes> sign_message(Signer& signer, ByteView message) {
  Bytes digest;
  if (const auto algorithm = hash_of(signer.algorithm())) {
    Hash hash(*algorithm);
    hash.update(message);
    digest = hash.finish();
    message = digest;
  }
  Bytes signature(signer.max_signature_bytes());
  signature.resize(IMPRINT_TRY(signer.sign(message, signature)));
  return signature;
}

bool verify_signature(const Certificate& signer, SignatureAlgorithm algorithm, ByteView message,
                      ByteView signature) {
  const CleanErrorQueue errors;
  EVP_PKEY* key = X509_get0_pubkey(native_of(signer));
  const auto hash = hash_of(algorithm);
  const DigestContextPtr context(EVP_MD_CTX_new());
  return key != nullptr && context != nullptr &&
         EVP_DigestVerifyInit_ex(context.get(), nullptr, hash ? name(*hash) : nullptr, nullptr,
                                 nullptr, key, nullptr) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                          message.size()) == 1;
}

bool verify_signed_input(const Certificate& signer, SignatureAlgorithm algorithm, ByteView input,
                         ByteView signature) {
  const auto hash = hash_of(algorithm);
  if (!hash) return verify_signature(signer, algorithm, input, signature);
  const CleanErrorQueue errors;
  EVP_PKEY* key = X509_get0_pubkey(native_of(signer));
  const DigestPtr digest(EVP_MD_fetch(nullptr, name(*hash), nullptr));
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  bool ready = key != nullptr && digest != nullptr && context != nullptr &&
               EVP_PKEY_verify_init(context.get()) == 1;
  if (ready && algorithm == SignatureAlgorithm::rsa_sha256) {
    ready = EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1;
  }
  return ready && EVP_PKEY_CTX_set_signature_md(context.get(), digest.get()) == 1 &&
         EVP_PKEY_verify(context.get(), octets(signature), signature.size(), octets(input),
                         input.size()) == 1;
}

Result<std::unique_ptr<Signer>> make_key_signer(const PrivateKey& key) {
  const SignatureAlgorithm algorithm = IMPRINT_TRY(signature_algorithm_of(key));
  return KeySigner::create(native_of(key), algorithm);
}

}  // namespace imprint::crypto
