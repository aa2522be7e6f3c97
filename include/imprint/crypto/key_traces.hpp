#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::crypto {

/// The form in which a copy of a key's secret numbers shows itself.
enum class TraceForm { number, reversed, base64, base64_twice, hex };

/// For reports: `the number itself`, `the number backwards`, `base64`, `base64 of base64`, `hex`.
[[nodiscard]] std::string_view name(TraceForm form) noexcept;

struct KeyTrace {
  ByteView bytes;  ///< valid as long as the KeyTraces are
  TraceForm form = TraceForm::number;
};

/// The byte strings by which a copy of a private key is found, whatever file it is in: pieces of
/// its secret numbers (EC scalar; Ed25519 seed; RSA d, p, q and what goes with them) as they stand
/// in memory or DER, in base64 (PEM, JSON, JWK), in base64 of that, and in hex. Where a copy is
/// broken once, by the end of a line or of a file system's block, at least one piece of it is
/// whole; in base64 there may be a line's end and a block's end. Each piece has 72 random bits or
/// more: no other data has it by chance. Copies that were compressed or encrypted are not found.
/// Secret memory; move-only.
class KeyTraces {
 public:
  /// Code::unsupported for a key of a kind that imprint does not handle. Numbers that are not
  /// random (a scalar of 1) have no traces.
  static Result<KeyTraces> of(const PrivateKey& key);

  /// About 55 for a P-256 or Ed25519 key, 180 for an RSA key; of 15 to 40 bytes each.
  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }

  [[nodiscard]] KeyTrace operator[](std::size_t index) const noexcept;

 private:
  class Collector;

  struct Place {
    std::size_t offset = 0;
    std::size_t size = 0;
    TraceForm form = TraceForm::number;
  };

  SecretBytes bytes_;  ///< all pieces, one after another
  std::vector<Place> places_;
};

/// The first lines of PEM private keys, whose ever they are: `-----BEGIN PRIVATE KEY-----` and
/// those of EC, RSA, DSA, encrypted and OpenSSH keys. Programs that read or write keys may hold
/// these too.
[[nodiscard]] std::span<const std::string_view> private_key_marks() noexcept;

}  // namespace imprint::crypto
