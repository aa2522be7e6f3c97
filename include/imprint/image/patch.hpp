#pragma once

#include <cstdint>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::image {

/// Bytes to write at an offset of the image (absolute, not of a partition).
struct Write {
  std::uint64_t offset = 0;
  crypto::WipedBytes bytes;
};

/// The difference between two images of one size: disjoint writes, ascending, adjacent ones merged.
struct Patch {
  std::vector<Write> writes;

  /// Makes the promise above true of writes that were put together by hand: sorts, drops empty
  /// ones, merges adjacent ones. Overlapping writes are Code::internal.
  Result<> normalize();

  [[nodiscard]] std::uint64_t total_bytes() const noexcept;
  /// SHA-256 over (offset, length, bytes) of every write, little endian: equal patches, equal
  /// digest.
  [[nodiscard]] crypto::Sha256Digest digest() const;
  /// Writes everything to `file`; no sync.
  Result<> apply(File& file) const;
};

/// Length-prefixed binary form of a normalized patch: version byte 1, u32 count, then u64 offset,
/// u32 length and the bytes of each write, little endian. Parse refuses anything that serialize
/// cannot have written. Wiped, because patches carry key bytes.
[[nodiscard]] crypto::WipedBytes serialize(const Patch& patch);
[[nodiscard]] Result<Patch> parse_patch(ByteView bytes);

}  // namespace imprint::image
