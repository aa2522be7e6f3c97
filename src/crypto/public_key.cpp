#include <optional>
#include <span>

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/issue.hpp"
#include "native.hpp"
#include "pem.hpp"

namespace imprint::crypto {

namespace {

using RequestPtr = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Freer<BN_free>>;

bool is_request(std::string_view label) {
  return label == "CERTIFICATE REQUEST" || label == "NEW CERTIFICATE REQUEST";
}

Result<KeyPtr> key_of_request(ByteView der) {
  const unsigned char* at = octets(der);
  const RequestPtr request(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
  if (request == nullptr) {
    return fail(openssl_error(Code::corrupt, "damaged certificate request"));
  }
  KeyPtr key(X509_REQ_get_pubkey(request.get()));
  if (key == nullptr) {
    return fail(openssl_error(Code::unsupported, "the public key of the certificate request"));
  }
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    return fail(Code::invalid_input,
                "the certificate request's own signature does not verify, so nothing shows that "
                "whoever made it holds the private key; have it made again");
  }
  return key;
}

Result<KeyPtr> key_of_info(ByteView der) {
  const unsigned char* at = octets(der);
  KeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (key == nullptr) return fail(openssl_error(Code::corrupt, "damaged public key"));
  return key;
}

/// DER says by its shape what it is: a request is a SEQUENCE of three.
Result<KeyPtr> key_of_der(ByteView der) {
  const CleanErrorQueue errors;
  if (auto key = key_of_info(der)) return key;
  auto key = key_of_request(der);
  if (!key && key.error().code == Code::corrupt) {
    return fail(Code::invalid_input,
                "is neither a public key nor a certificate request, in PEM or DER");
  }
  return key;
}

Result<KeyPtr> key_of_pem(ByteView pem) {
  std::optional<PemObject> found;
  std::string other;
  IMPRINT_TRY(for_each_pem_object(pem, [&](PemObject object) {
    if (object.label == kPemPublicKey || is_request(object.label)) {
      found = std::move(object);
      return false;
    }
    if (other.empty()) other = object.label;
    return true;
  }));
  if (found && is_request(found->label)) return key_of_request(found->der.view());
  if (found) return key_of_info(found->der.view());
  if (other.find("PRIVATE KEY") != std::string::npos) {
    return fail(Code::invalid_input,
                "holds a private key, which has to stay where it is; give its public half "
                "(openssl pkey -pubout)");
  }
  return fail(Code::invalid_input,
              "holds no public key and no certificate request, but a " + quoted(other));
}

}  // namespace

Result<> check_exponent(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") != 1) return {};
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw) != 1) {
    return fail(openssl_error(Code::crypto, "reading the exponent of an RSA key"));
  }
  const NumberPtr exponent(raw);
  if (BN_is_word(exponent.get(), RSA_F4) == 1) return {};
  return fail(Code::unsupported, "an RSA key whose public exponent is not 65537; make another key");
}

PublicKey::PublicKey(std::shared_ptr<const Native> native) : native_(std::move(native)) {}

Result<PublicKey> PublicKey::parse(ByteView pem_or_der) {
  if (pem_or_der.empty()) return fail(Code::invalid_input, "is empty, no public key");
  const CleanErrorQueue errors;
  const bool is_pem = text_of(pem_or_der).find("-----BEGIN ") != std::string_view::npos;
  KeyPtr key = IMPRINT_TRY(is_pem ? key_of_pem(pem_or_der) : key_of_der(pem_or_der));
  const KeyKind kind = IMPRINT_TRY(kind_of(key.get()));
  IMPRINT_TRY(check_exponent(key.get()));
  return PublicKey(std::make_shared<const Native>(Native{std::move(key), kind}));
}

Result<PublicKey> PublicKey::of(const PrivateKey& key) {
  return parse(IMPRINT_TRY(key.public_key_der()));
}

KeyKind PublicKey::kind() const noexcept {
  return native_->kind;
}

Result<Bytes> PublicKey::der() const {
  return encode_public_key(native_->key.get());
}

std::string public_key_pem(ByteView public_key_der) {
  std::string pem(pem_size(kPemPublicKey, public_key_der.size()), '\0');
  write_pem(kPemPublicKey, public_key_der, std::as_writable_bytes(std::span(pem)));
  return pem;
}

}  // namespace imprint::crypto
