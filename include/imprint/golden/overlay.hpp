#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::golden {

/// What turns the golden image into one device's image: disjoint (byte offset, bytes), ascending.
/// Holds the private key. Buffers are kept by clear(), so that one Overlay serves many devices
/// without allocating.
class Overlay {
 public:
  struct Piece {
    std::uint64_t offset = 0;
    std::uint32_t begin = 0;  ///< into bytes()
    std::uint32_t length = 0;
  };

  void clear() noexcept;
  /// Pieces may be added in any order; finish() sorts them. Overlapping pieces are our bug
  /// (assert).
  void add(std::uint64_t offset, ByteView bytes);
  void finish();

  [[nodiscard]] std::span<const Piece> pieces() const noexcept { return pieces_; }

  [[nodiscard]] ByteView bytes_of(const Piece& piece) const noexcept {
    return bytes_.view().subspan(piece.begin, piece.length);
  }

  [[nodiscard]] std::size_t total_bytes() const noexcept { return bytes_.size(); }

  /// Writes every piece to `file`; no sync.
  Result<> apply(File& file) const;

  /// SHA-256 of the serialized form.
  [[nodiscard]] crypto::Sha256Digest digest(crypto::Sha256& hasher) const;

  /// The durable form (docs/overlays.md): varint count, then per piece varint offset delta, varint
  /// length, bytes. Replaces `into`.
  void serialize(crypto::SecretBytes& into) const;
  /// Replaces the content; refuses anything that serialize cannot have written.
  Result<> parse(ByteView serialized);

 private:
  std::vector<Piece> pieces_;
  crypto::SecretBytes bytes_;
};

}  // namespace imprint::golden
