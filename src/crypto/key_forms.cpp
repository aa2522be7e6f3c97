#include "imprint/crypto/key_forms.hpp"

#include "native.hpp"
#include "pem.hpp"

namespace imprint::crypto {

Result<SecretBytes> traditional_pem(const PrivateKey& key) {
  const KeyKind kind = IMPRINT_TRY(key.kind());
  if (kind == KeyKind::ed25519)
    return fail(Code::unsupported, "keys of kind ed25519 have no other form than PKCS#8");
  const bool is_rsa = name(kind).starts_with("rsa:");
  const std::string_view label = is_rsa ? "RSA PRIVATE KEY" : "EC PRIVATE KEY";
  const SecretBytes der = IMPRINT_TRY(encode_traditional(key.native().key.get()));
  SecretBytes pem(pem_size(label, der.size()));
  write_pem(label, der.view(), pem.mutable_view());
  return pem;
}

}  // namespace imprint::crypto
