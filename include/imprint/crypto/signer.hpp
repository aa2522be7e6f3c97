#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::crypto {

/// Signature algorithms an authority's key leads to: ECDSA with the hash of the curve's strength,
/// RSA PKCS#1 v1.5 with SHA-256, Ed25519.
enum class SignatureAlgorithm { ecdsa_sha256, ecdsa_sha384, ecdsa_sha512, rsa_sha256, ed25519 };

/// `ecdsa-sha256`, `ecdsa-sha384`, `ecdsa-sha512`, `rsa-sha256`, `ed25519`: what a signing command
/// is told.
[[nodiscard]] std::string_view name(SignatureAlgorithm algorithm) noexcept;

/// DER of the AlgorithmIdentifier (ECDSA: parameters absent; RSA: NULL).
[[nodiscard]] ByteView algorithm_identifier(SignatureAlgorithm algorithm) noexcept;

/// The hash whose digest is signed; none for Ed25519, which signs the message itself.
[[nodiscard]] std::optional<HashAlgorithm> hash_of(SignatureAlgorithm algorithm) noexcept;

/// What makes the CA's signature, wherever its key is. It never sees more of a certificate than a
/// digest, unless the algorithm has none. Not thread-safe: every worker takes its own by clone().
class Signer {
 public:
  virtual ~Signer() = default;
  [[nodiscard]] virtual SignatureAlgorithm algorithm() const noexcept = 0;
  /// No signature is longer. For sizing buffers.
  [[nodiscard]] virtual std::size_t max_signature_bytes() const noexcept = 0;
  /// Signs `input`, the digest of the message by hash_of(algorithm()) or, when that is none, the
  /// message, into `signature`, in the form that X.509 wants (ECDSA: DER); returns the length.
  virtual Result<std::size_t> sign(ByteView input, MutableBytes signature) = 0;
  /// An independent signer for another thread.
  [[nodiscard]] virtual Result<std::unique_ptr<Signer>> clone() const = 0;
};

/// Hashes when the algorithm has a hash, and signs. For what is made once; a mint keeps its hasher.
[[nodiscard]] Result<Bytes> sign_message(Signer& signer, ByteView message);

/// Whether `signature` is that of `message` by the key that `signer` certifies. For signatures that
/// were made elsewhere, and for probes. False also for a signature that does not parse.
[[nodiscard]] bool verify_signature(const Certificate& signer, SignatureAlgorithm algorithm,
                                    ByteView message, ByteView signature);

/// The same for a message of which only the digest is at hand (`input` as Signer::sign takes it).
[[nodiscard]] bool verify_signed_input(const Certificate& signer, SignatureAlgorithm algorithm,
                                       ByteView input, ByteView signature);

/// The algorithm a CA with this key signs with. Code::unsupported for other curves, RSA under 2048
/// bits, other key types.
[[nodiscard]] Result<SignatureAlgorithm> signature_algorithm_of(const PrivateKey& key);
/// The same by the public key that it certifies, for a private key that cannot be seen.
[[nodiscard]] Result<SignatureAlgorithm> signature_algorithm_of(const Certificate& certificate);

/// The largest signature that the certified key makes, in bytes.
[[nodiscard]] std::size_t max_signature_bytes(const Certificate& certificate) noexcept;

/// Signer from a key in memory. Each clone has its own library context, key copy and contexts.
[[nodiscard]] Result<std::unique_ptr<Signer>> make_key_signer(const PrivateKey& key);

}  // namespace imprint::crypto
