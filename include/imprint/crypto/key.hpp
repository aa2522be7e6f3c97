#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::crypto {

enum class KeyKind { ec_p256, ec_p384, ec_p521, rsa_2048, rsa_3072, rsa_4096, ed25519 };

/// The manifest's and the flags' words: `ec:P-256`, `ec:P-384`, `ec:P-521`, `rsa:2048`, `rsa:3072`,
/// `rsa:4096`, `ed25519`.
[[nodiscard]] std::string_view name(KeyKind kind) noexcept;
[[nodiscard]] Result<KeyKind> parse_key_kind(std::string_view word);

/// A private key in memory. Move-only; the native handle stays inside crypto
/// (src/crypto/native.hpp).
class PrivateKey {
 public:
  struct Native;  // EVP_PKEY

  explicit PrivateKey(std::unique_ptr<Native> native);
  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;
  ~PrivateKey();

  static Result<PrivateKey> generate(KeyKind kind);

  /// The private key of a PEM text (PKCS#8, encrypted PKCS#8, SEC1, PKCS#1; other objects are
  /// skipped). Two keys are an error: nobody can tell which is meant. `passphrase` is asked only
  /// when the key is encrypted; a wrong one is Code::invalid_input "wrong passphrase".
  static Result<PrivateKey> from_pem(ByteView pem,
                                     const std::function<Result<SecretBytes>()>& passphrase = {});

  /// The same, or DER of one of these forms. PKCS#12 is refused with the command that takes the key
  /// out of it.
  static Result<PrivateKey> parse(ByteView pem_or_der,
                                  const std::function<Result<SecretBytes>()>& passphrase = {});

  /// Whether parse would ask for a passphrase. The same errors for what holds no private key.
  static Result<bool> is_encrypted(ByteView pem_or_der);

  /// Unencrypted PKCS#8 PEM.
  [[nodiscard]] Result<SecretBytes> to_pem() const;
  /// Unencrypted PKCS#1 PEM (`RSA PRIVATE KEY`); Code::unsupported for a key that is not RSA.
  [[nodiscard]] Result<SecretBytes> to_pkcs1_pem() const;
  /// Encrypted PKCS#8 PEM: AES-256-CBC, PBKDF2-HMAC-SHA-256 with 600,000 iterations.
  [[nodiscard]] Result<Bytes> to_encrypted_pem(const SecretBytes& passphrase) const;
  /// SubjectPublicKeyInfo, DER.
  [[nodiscard]] Result<Bytes> public_key_der() const;
  [[nodiscard]] Result<KeyKind> kind() const;  ///< Code::unsupported for any other key

  [[nodiscard]] const Native& native() const noexcept { return *native_; }

 private:
  std::unique_ptr<Native> native_;
};

/// A SubjectPublicKeyInfo as the PEM text (`PUBLIC KEY`) that Mender's APIs take, with a final
/// newline.
[[nodiscard]] std::string public_key_pem(ByteView public_key_der);

}  // namespace imprint::crypto
