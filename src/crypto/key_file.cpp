// Private keys as PEM files hold them.

#include <algorithm>

#include <openssl/err.h>
#include <openssl/evperr.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs12err.h>
#include <openssl/proverr.h>

#include "imprint/base/text.hpp"
#include "native.hpp"
#include "pem.hpp"

namespace imprint::crypto {

namespace {

constexpr std::string_view kPemEncryptedKey = "ENCRYPTED PRIVATE KEY";
constexpr std::string_view kPemRsaKey = "RSA PRIVATE KEY";
constexpr int kPbkdf2Iterations = 600'000;  // OWASP's figure for HMAC-SHA-256

using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freer<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPtr = std::unique_ptr<X509_SIG, Freer<X509_SIG_free>>;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, Freer<X509_ALGOR_free>>;

using AskPassphrase = std::function<Result<SecretBytes>()>;

bool is_private_key(std::string_view label) {
  return label == kPemPrivateKey || label == kPemEncryptedKey || label == "EC PRIVATE KEY" ||
         label == kPemRsaKey;
}

Result<SecretBytes> ask(const AskPassphrase& passphrase) {
  if (!passphrase) {
    return fail(Code::invalid_input, "the private key is encrypted and no passphrase was given");
  }
  return passphrase();
}

const char* characters(const SecretBytes& secret) {
  // OpenSSL takes a null pointer for "no passphrase", which is not the empty one.
  return secret.empty() ? "" : reinterpret_cast<const char*>(secret.data());
}

// A wrong passphrase shows as bad padding, or by chance good padding around what is no key.
// Anything else (an unknown cipher, say) the passphrase is not to blame for.
Error decryption_error() {
  bool wrong_passphrase = true;
  switch (const unsigned long first = ERR_peek_error(); ERR_GET_REASON(first)) {
    case EVP_R_UNKNOWN_PBE_ALGORITHM:
    case EVP_R_UNKNOWN_CIPHER:
    case EVP_R_UNSUPPORTED_CIPHER:
    case EVP_R_UNSUPPORTED_PRF:
    case EVP_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION:
    case EVP_R_UNSUPPORTED_SALT_TYPE:
      wrong_passphrase = ERR_GET_LIB(first) != ERR_LIB_EVP;
      break;
    case ERR_R_UNSUPPORTED:
    case ERR_R_MALLOC_FAILURE:
      wrong_passphrase = false;
      break;
    default:
      break;
  }
  if (!wrong_passphrase) {
    return openssl_error(Code::unsupported,
                         "the private key is encrypted in a way that is not supported; encrypt it "
                         "anew with 'openssl pkcs8 -topk8'");
  }
  ERR_clear_error();
  return Error(Code::invalid_input, "wrong passphrase for the private key");
}

Result<SecretBytes> decrypt_pkcs8(ByteView der, const AskPassphrase& passphrase) {
  const unsigned char* at = octets(der);
  const EncryptedPtr encrypted(d2i_X509_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (encrypted == nullptr) {
    return fail(openssl_error(Code::corrupt, "damaged encrypted private key"));
  }
  const SecretBytes secret = IMPRINT_TRY(ask(passphrase));
  const Pkcs8Ptr plain(
      PKCS8_decrypt(encrypted.get(), characters(secret), static_cast<int>(secret.size())));
  if (plain == nullptr) return fail(decryption_error());
  SecretBytes decrypted(static_cast<std::size_t>(i2d_PKCS8_PRIV_KEY_INFO(plain.get(), nullptr)));
  unsigned char* out = octets(decrypted.mutable_view());
  i2d_PKCS8_PRIV_KEY_INFO(plain.get(), &out);
  return decrypted;
}

int give_passphrase(char* into, int room, int /*for_writing*/, void* secret) {
  const auto& passphrase = *static_cast<const SecretBytes*>(secret);
  if (passphrase.size() > static_cast<std::size_t>(room)) return -1;
  std::copy_n(characters(passphrase), passphrase.size(), into);
  return static_cast<int>(passphrase.size());
}

// The encryption of PEM before PKCS#8 (RFC 1421 headers), which old CA folders still have.
Result<> decrypt_legacy(PemObject& object, const AskPassphrase& passphrase) {
  EVP_CIPHER_INFO cipher{};
  if (PEM_get_EVP_CIPHER_INFO(object.header.data(), &cipher) != 1) {
    return fail(openssl_error(Code::unsupported, "decrypting the private key"));
  }
  if (cipher.cipher == nullptr) return {};
  SecretBytes secret = IMPRINT_TRY(ask(passphrase));
  long size = static_cast<long>(object.der.size());
  if (PEM_do_header(&cipher, octets(object.der.mutable_view()), &size, give_passphrase, &secret) !=
      1) {
    return fail(decryption_error());
  }
  object.der.resize(static_cast<std::size_t>(size));
  return {};
}

Result<PrivateKey> load(PemObject object, const AskPassphrase& passphrase) {
  bool encrypted = false;
  if (object.label == kPemEncryptedKey) {
    object.der = IMPRINT_TRY(decrypt_pkcs8(object.der.view(), passphrase));
    encrypted = true;
  } else if (!object.header.empty()) {
    IMPRINT_TRY(decrypt_legacy(object, passphrase));
    encrypted = true;
  }
  auto key = decode_pkcs8(object.der.view(), nullptr);
  if (!key && encrypted) {
    return fail(Code::invalid_input, "wrong passphrase for the private key");
  }
  if (!key) return fail(std::move(key).error());
  return wrap(std::move(*key));
}

}  // namespace

namespace {

Result<PemObject> find_private_key(ByteView pem) {
  std::optional<PemObject> found;
  std::string other;
  bool second = false;
  IMPRINT_TRY(for_each_pem_object(pem, [&](PemObject object) {
    if (is_private_key(object.label)) {
      second = found.has_value();
      if (!found) found = std::move(object);
    } else if (other.empty()) {
      other = object.label;
    }
    return !second;
  }));
  if (second) {
    return fail(Code::invalid_input,
                "holds more than one private key; leave only the one that is meant");
  }
  if (found) return std::move(*found);
  if (pem.empty()) return fail(Code::invalid_input, "empty, not a private key");
  if (other.empty()) return fail(Code::invalid_input, "holds no private key in PEM form");
  return fail(Code::invalid_input, "holds no private key, but a " + quoted(other));
}

using Pkcs12Ptr = std::unique_ptr<PKCS12, Freer<PKCS12_free>>;

/// Whether DER is one whole object of the kind that `parse` (a d2i function) makes.
template <auto Free, class Parse>
bool is_whole(ByteView der, Parse parse) {
  const unsigned char* at = octets(der);
  const std::unique_ptr<std::remove_pointer_t<decltype(parse(nullptr, &at, 0L))>, Freer<Free>>
      object(parse(nullptr, &at, static_cast<long>(der.size())));
  return object != nullptr && at == octets(der) + der.size();
}

/// DER says by its shape what it is.
Result<PemObject> name_der(ByteView der) {
  const CleanErrorQueue errors;
  if (is_whole<PKCS12_free>(der, d2i_PKCS12)) {
    return fail(Code::invalid_input,
                "is a PKCS#12 file; take the key out of it with 'openssl pkcs12 -in FILE -nocerts "
                "-out ca.key'");
  }
  if (is_whole<X509_SIG_free>(der, d2i_X509_SIG)) {
    return PemObject{std::string(kPemEncryptedKey), {}, SecretBytes(der)};
  }
  if (is_whole<EVP_PKEY_free>(der, d2i_AutoPrivateKey)) {
    return PemObject{std::string(kPemPrivateKey), {}, SecretBytes(der)};
  }
  if (is_whole<X509_free>(der, d2i_X509)) {
    return fail(Code::invalid_input, "holds no private key, but a certificate");
  }
  return fail(Code::invalid_input, "holds no private key in PEM or DER form");
}

Result<PemObject> find_key(ByteView pem_or_der) {
  constexpr std::byte kDerSequence{0x30};  // the digit 0 in a text
  if (!pem_or_der.empty() && pem_or_der.front() == kDerSequence &&
      text_of(pem_or_der).find("-----BEGIN ") == std::string_view::npos) {
    return name_der(pem_or_der);
  }
  return find_private_key(pem_or_der);
}

}  // namespace

Result<PrivateKey> PrivateKey::parse(ByteView pem_or_der, const AskPassphrase& passphrase) {
  PemObject found = IMPRINT_TRY(find_key(pem_or_der));
  const CleanErrorQueue errors;
  return load(std::move(found), passphrase);
}

Result<PrivateKey> PrivateKey::from_pem(ByteView pem, const AskPassphrase& passphrase) {
  PemObject found = IMPRINT_TRY(find_private_key(pem));
  const CleanErrorQueue errors;
  return load(std::move(found), passphrase);
}

Result<bool> PrivateKey::is_encrypted(ByteView pem_or_der) {
  const PemObject found = IMPRINT_TRY(find_key(pem_or_der));
  return found.label == kPemEncryptedKey || found.header.find("ENCRYPTED") != std::string::npos;
}

Result<SecretBytes> PrivateKey::to_pem() const {
  const SecretBytes der = IMPRINT_TRY(encode_pkcs8(native_->key.get()));
  SecretBytes pem(pem_size(kPemPrivateKey, der.size()));
  write_pem(kPemPrivateKey, der.view(), pem.mutable_view());
  return pem;
}

Result<SecretBytes> PrivateKey::to_pkcs1_pem() const {
  if (EVP_PKEY_is_a(native_->key.get(), "RSA") != 1) {
    return fail(Code::unsupported, "PKCS#1 is a form of RSA keys alone");
  }
  const SecretBytes der = IMPRINT_TRY(encode_traditional(native_->key.get()));
  SecretBytes pem(pem_size(kPemRsaKey, der.size()));
  write_pem(kPemRsaKey, der.view(), pem.mutable_view());
  return pem;
}

Result<Bytes> PrivateKey::to_encrypted_pem(const SecretBytes& passphrase) const {
  if (passphrase.empty()) {
    return fail(Code::invalid_input, "an empty passphrase protects nothing");
  }
  const SecretBytes der = IMPRINT_TRY(encode_pkcs8(native_->key.get()));
  const unsigned char* at = octets(der.view());
  const Pkcs8Ptr plain(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
  AlgorithmPtr scheme(PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), kPbkdf2Iterations, nullptr, 0, nullptr,
                                        NID_hmacWithSHA256));
  if (plain == nullptr || scheme == nullptr) {
    return fail(openssl_error(Code::crypto, "encrypting a private key"));
  }
  const EncryptedPtr encrypted(PKCS8_set0_pbe(
      characters(passphrase), static_cast<int>(passphrase.size()), plain.get(), scheme.get()));
  if (encrypted == nullptr) {
    return fail(openssl_error(Code::crypto, "encrypting a private key"));
  }
  (void)scheme.release();  // now part of `encrypted`
  Bytes sealed(static_cast<std::size_t>(i2d_X509_SIG(encrypted.get(), nullptr)));
  unsigned char* out = octets(MutableBytes(sealed));
  i2d_X509_SIG(encrypted.get(), &out);
  Bytes pem(pem_size(kPemEncryptedKey, sealed.size()));
  write_pem(kPemEncryptedKey, sealed, pem);
  return pem;
}

}  // namespace imprint::crypto
