#pragma once

#include <memory>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::crypto {

/// Signature algorithms an authority's key leads to: ECDSA with the hash of the curve's strength,
/// RSA PKCS#1 v1.5 with SHA-256, Ed25519.
enum class SignatureAlgorithm { ecdsa_sha256, ecdsa_sha384, ecdsa_sha512, rsa_sha256, ed25519 };

/// DER of the AlgorithmIdentifier (ECDSA: parameters absent; RSA: NULL).
[[nodiscard]] ByteView algorithm_identifier(SignatureAlgorithm algorithm) noexcept;

/// What makes the CA's signature. Not thread-safe: every worker takes its own by clone().
class Signer {
 public:
  virtual ~Signer() = default;
  [[nodiscard]] virtual SignatureAlgorithm algorithm() const noexcept = 0;
  /// No signature is longer. For sizing buffers.
  [[nodiscard]] virtual std::size_t max_signature_bytes() const noexcept = 0;
  /// Signs `to_be_signed` (the whole TBSCertificate: the signer digests it itself when its
  /// algorithm has a digest) into `signature`, in the form that X.509 wants; returns the length.
  virtual Result<std::size_t> sign(ByteView to_be_signed, MutableBytes signature) = 0;
  /// An independent signer for another thread.
  [[nodiscard]] virtual Result<std::unique_ptr<Signer>> clone() const = 0;
};

/// The algorithm a CA with this key signs with. Code::unsupported for other curves, RSA under 2048
/// bits, other key types.
[[nodiscard]] Result<SignatureAlgorithm> signature_algorithm_of(const PrivateKey& key);

/// Signer from a key in memory. Each clone has its own library context, key copy, prefetched digest
/// and contexts.
[[nodiscard]] Result<std::unique_ptr<Signer>> make_key_signer(const PrivateKey& key);

}  // namespace imprint::crypto
