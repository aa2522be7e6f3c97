#include "imprint/crypto/key.hpp"

#include <array>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/encoder.h>
#include <openssl/rsa.h>

#include "imprint/base/text.hpp"
#include "native.hpp"

namespace imprint::crypto {

namespace {

struct KindRow {
  KeyKind kind;
  std::string_view word;
  const char* algorithm;
  const char* group;  // curve as OpenSSL names it, null when there is none
  int bits;           // of an RSA modulus
};

constexpr std::array<KindRow, 7> kKinds = {{
    {KeyKind::ec_p256, "ec:P-256", "EC", "prime256v1", 0},
    {KeyKind::ec_p384, "ec:P-384", "EC", "secp384r1", 0},
    {KeyKind::ec_p521, "ec:P-521", "EC", "secp521r1", 0},
    {KeyKind::rsa_2048, "rsa:2048", "RSA", nullptr, 2048},
    {KeyKind::rsa_3072, "rsa:3072", "RSA", nullptr, 3072},
    {KeyKind::rsa_4096, "rsa:4096", "RSA", nullptr, 4096},
    {KeyKind::ed25519, "ed25519", "ED25519", nullptr, 0},
}};

const KindRow& row_of(KeyKind kind) noexcept {
  return kKinds.at(static_cast<std::size_t>(kind));
}

std::string known_words() {
  std::string words;
  for (const KindRow& row : kKinds) {
    if (!words.empty()) words += ", ";
    words += row.word;
  }
  return words;
}

}  // namespace

std::string_view name(KeyKind kind) noexcept {
  return row_of(kind).word;
}

Result<KeyKind> parse_key_kind(std::string_view word) {
  for (const KindRow& row : kKinds) {
    if (equal_ignoring_ascii_case(row.word, word)) return row.kind;
  }
  return fail(Code::invalid_input, quoted(word) + " is no key kind; known are " + known_words());
}

PrivateKey::PrivateKey(std::unique_ptr<Native> native) : native_(std::move(native)) {}

PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<KeyContextPtr> make_generator(OSSL_LIB_CTX* library, KeyKind kind) {
  const KindRow& row = row_of(kind);
  KeyContextPtr context(EVP_PKEY_CTX_new_from_name(library, row.algorithm, nullptr));
  bool ready = context != nullptr && EVP_PKEY_keygen_init(context.get()) == 1;
  if (ready && row.group != nullptr) {
    ready = EVP_PKEY_CTX_set_group_name(context.get(), row.group) == 1;
  }
  if (ready && row.bits != 0) {
    ready = EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), row.bits) == 1;
  }
  if (!ready) return fail(openssl_error(Code::crypto, "preparing key generation"));
  return context;
}

Result<PrivateKey> PrivateKey::generate(KeyKind kind) {
  const KeyContextPtr context = IMPRINT_TRY(make_generator(nullptr, kind));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_generate(context.get(), &made) != 1) {
    return fail(openssl_error(Code::crypto, "generating a key"));
  }
  return wrap(KeyPtr(made));
}

Result<KeyKind> kind_of(const EVP_PKEY* key) {
  std::string found = "this kind of key";
  if (EVP_PKEY_is_a(key, "EC") == 1) {
    // OpenSSL knows a curve that it meets by its numbers, but no verifier takes such a certificate.
    int is_explicit = 0;
    if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                               &is_explicit) == 1 &&
        is_explicit == 1) {
      return fail(Code::unsupported,
                  "an EC key with explicit curve parameters, which verifiers refuse; make one with "
                  "a named curve (openssl genpkey -pkeyopt ec_param_enc:named_curve)");
    }
    std::array<char, 64> group{};
    std::size_t length = 0;
    if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) == 1) {
      found = std::string(group.data(), length);
      for (const KindRow& row : kKinds) {
        if (row.group != nullptr && found == row.group) return row.kind;
      }
      found = "the curve " + found;
    } else {
      found = "an EC key without a named curve";
    }
  } else if (EVP_PKEY_is_a(key, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(key);
    for (const KindRow& row : kKinds) {
      if (row.bits == bits) return row.kind;
    }
    found = "RSA with " + std::to_string(bits) + " bits";
  } else if (EVP_PKEY_is_a(key, "ED25519") == 1) {
    return KeyKind::ed25519;
  } else if (EVP_PKEY_is_a(key, "RSA-PSS") == 1) {
    return fail(Code::unsupported,
                "an RSA key that is restricted to PSS signatures (RSA-PSS) is not supported; use a "
                "plain RSA, EC or Ed25519 key");
  } else if (const char* type = EVP_PKEY_get0_type_name(key); type != nullptr) {
    found = std::string("the key type ") + type;
  }
  return fail(Code::unsupported, found + " is not supported; known are " + known_words());
}

Result<KeyKind> PrivateKey::kind() const {
  return kind_of(native_->key.get());
}

namespace {

// EVP_PKEY2PKCS8 of OpenSSL 3.0 leaves an unwiped copy on the heap; the encoder into secure memory
// does not.
Result<SecretBytes> encode(const EVP_PKEY* key, const char* structure) {
  using EncoderPtr = std::unique_ptr<OSSL_ENCODER_CTX, Freer<OSSL_ENCODER_CTX_free>>;
  const EncoderPtr encoder(
      OSSL_ENCODER_CTX_new_for_pkey(key, EVP_PKEY_KEYPAIR, "DER", structure, nullptr));
  const BioPtr sink(BIO_new(BIO_s_secmem()));
  if (encoder == nullptr || sink == nullptr ||
      OSSL_ENCODER_to_bio(encoder.get(), sink.get()) != 1) {
    return fail(openssl_error(Code::crypto, "encoding a private key"));
  }
  return SecretBytes(content_of(sink.get()));
}

}  // namespace

Result<SecretBytes> encode_pkcs8(const EVP_PKEY* key) {
  return encode(key, "PrivateKeyInfo");
}

Result<SecretBytes> encode_traditional(const EVP_PKEY* key) {
  return encode(key, "type-specific");
}

Result<KeyPtr> decode_pkcs8(ByteView der, OSSL_LIB_CTX* library) {
  const unsigned char* at = octets(der);
  KeyPtr key(d2i_AutoPrivateKey_ex(nullptr, &at, static_cast<long>(der.size()), library, nullptr));
  if (key == nullptr) return fail(openssl_error(Code::invalid_input, "not a private key"));
  return key;
}

Result<Bytes> encode_public_key(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return fail(openssl_error(Code::crypto, "encoding a public key"));
  const ByteView encoded = view_of(der, static_cast<std::size_t>(size));
  Bytes copy(encoded.begin(), encoded.end());
  OPENSSL_free(der);
  return copy;
}

Result<Bytes> PrivateKey::public_key_der() const {
  return encode_public_key(native_->key.get());
}

}  // namespace imprint::crypto
