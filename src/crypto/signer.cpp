#include "imprint/crypto/signer.hpp"

#include <array>
#include <optional>

#include <openssl/rsa.h>

#include "builder.hpp"
#include "hasher.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

struct AlgorithmRow {
  std::string_view identifier;  // DER of the AlgorithmIdentifier
  const char* digest;           // null: the signature takes the message itself
};

using namespace std::string_view_literals;

constexpr std::array<AlgorithmRow, 5> kAlgorithms = {{
    {"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"sv, "SHA256"},
    {"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"sv, "SHA384"},
    {"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"sv, "SHA512"},
    {"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"sv, "SHA256"},
    {"\x30\x05\x06\x03\x2b\x65\x70"sv, nullptr},
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

  Result<std::size_t> sign(ByteView to_be_signed, MutableBytes signature) override {
    std::size_t size = signature.size();
    const bool ok = hasher_ ? sign_digest(to_be_signed, octets(signature), size)
                            : sign_message(to_be_signed, octets(signature), size);
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
    const char* digest = row_of(algorithm_).digest;
    if (digest == nullptr) {
      message_context_.reset(EVP_MD_CTX_new());
      if (message_context_ != nullptr) return {};
      return fail(openssl_error(Code::crypto, "preparing the CA key"));
    }
    hasher_ = IMPRINT_TRY(Hasher::create(library_.get(), digest));
    context_.reset(EVP_PKEY_CTX_new_from_pkey(library_.get(), key_.get(), nullptr));
    bool ready = context_ != nullptr && EVP_PKEY_sign_init(context_.get()) == 1;
    if (ready && algorithm_ == SignatureAlgorithm::rsa_sha256) {
      ready = EVP_PKEY_CTX_set_rsa_padding(context_.get(), RSA_PKCS1_PADDING) == 1;
    }
    ready = ready && EVP_PKEY_CTX_set_signature_md(context_.get(), hasher_->algorithm()) == 1;
    if (!ready) return fail(openssl_error(Code::crypto, "preparing the CA key"));
    return {};
  }

  bool sign_digest(ByteView message, unsigned char* signature, std::size_t& size) {
    std::array<std::byte, EVP_MAX_MD_SIZE> digest;
    const MutableBytes used = MutableBytes(digest).first(hasher_->size());
    return hasher_->digest(message, used) &&
           EVP_PKEY_sign(context_.get(), signature, &size, octets(ByteView(used)), used.size()) ==
               1;
  }

  bool sign_message(ByteView message, unsigned char* signature, std::size_t& size) {
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
  std::optional<Hasher> hasher_;
  KeyContextPtr context_;
  DigestContextPtr message_context_;
};

}  // namespace

ByteView algorithm_identifier(SignatureAlgorithm algorithm) noexcept {
  return bytes_of(row_of(algorithm).identifier);
}

const EVP_MD* signing_digest(SignatureAlgorithm algorithm) noexcept {
  const char* digest = row_of(algorithm).digest;
  return digest != nullptr ? EVP_get_digestbyname(digest) : nullptr;
}

Result<SignatureAlgorithm> signature_algorithm_of(const PrivateKey& key) {
  const EVP_PKEY* native = native_of(key);
  // Any RSA size from 2048 may sign, also those that devices cannot have.
  if (EVP_PKEY_is_a(native, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(native);
    if (bits < kMinRsaBits) {
      return fail(Code::unsupported, "RSA with " + std::to_string(bits) +
                                         " bits is too weak for a CA; it takes 2048 or more");
    }
    return SignatureAlgorithm::rsa_sha256;
  }
  switch (IMPRINT_TRY(key.kind())) {
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

Result<std::unique_ptr<Signer>> make_key_signer(const PrivateKey& key) {
  const SignatureAlgorithm algorithm = IMPRINT_TRY(signature_algorithm_of(key));
  return KeySigner::create(native_of(key), algorithm);
}

}  // namespace imprint::crypto
