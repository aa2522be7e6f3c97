#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "imprint/base/bytes.hpp"

namespace imprint::crypto {

using Sha256Digest = std::array<std::byte, 32>;

/// One-shot SHA-256.
[[nodiscard]] Sha256Digest sha256(ByteView bytes);

/// The hashes that signatures use.
enum class HashAlgorithm { sha256, sha384, sha512 };

/// OpenSSL's word: `SHA256`.
[[nodiscard]] const char* name(HashAlgorithm algorithm) noexcept;

/// Incremental hash of any of them. One thread at a time.
class Hash {
 public:
  explicit Hash(HashAlgorithm algorithm);
  /// SHA-1, where a format has nothing better: against accidents only.
  static Hash sha1();
  Hash(Hash&&) noexcept;
  Hash& operator=(Hash&&) noexcept;
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  ~Hash();
  void update(ByteView bytes);
  /// The digest of all that was added; starts anew.
  [[nodiscard]] Bytes finish();

 private:
  explicit Hash(const char* algorithm);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Incremental SHA-256 with a fetched digest kept for reuse. One thread at a time.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();
  void update(ByteView bytes);
  /// The digest of all that was added; starts anew.
  [[nodiscard]] Sha256Digest finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace imprint::crypto
