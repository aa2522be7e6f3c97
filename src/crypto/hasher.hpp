#pragma once

#include "openssl.hpp"

namespace imprint::crypto {

/// A digest with everything that costs (fetching, allocating) done once. One thread at a time.
class Hasher {
 public:
  /// Code::crypto when the library context has no such digest.
  static Result<Hasher> create(OSSL_LIB_CTX* library, const char* digest_name);

  /// `into` has exactly the digest's size. False when OpenSSL fails, which is not expected of
  /// memory hashing.
  [[nodiscard]] bool digest(ByteView bytes, MutableBytes into) noexcept;

  [[nodiscard]] const EVP_MD* algorithm() const noexcept { return algorithm_.get(); }

  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(EVP_MD_get_size(algorithm_.get()));
  }

 private:
  Hasher(DigestPtr algorithm, DigestContextPtr context)
      : algorithm_(std::move(algorithm)),
        context_(std::move(context)) {}

  DigestPtr algorithm_;
  DigestContextPtr context_;
};

}  // namespace imprint::crypto
