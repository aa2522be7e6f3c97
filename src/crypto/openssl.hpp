#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

/// OpenSSL as a guest: owning pointers and the one translator of its errors.
namespace imprint::crypto {

template <auto Free>
struct Freer {
  void operator()(auto* pointer) const noexcept { Free(pointer); }
};

using LibraryContextPtr = std::unique_ptr<OSSL_LIB_CTX, Freer<OSSL_LIB_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using DigestPtr = std::unique_ptr<EVP_MD, Freer<EVP_MD_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using X509NamePtr = std::unique_ptr<X509_NAME, Freer<X509_NAME_free>>;

/// Error from OpenSSL's queue of this thread, which is drained: `what: reason; reason`.
[[nodiscard]] Error openssl_error(Code code, std::string what);

/// Keeps an operation from inheriting another's queued errors, and from leaving its own behind
/// where failure is an answer (end of a PEM file, a signature that does not match).
class CleanErrorQueue {
 public:
  CleanErrorQueue() noexcept;
  CleanErrorQueue(const CleanErrorQueue&) = delete;
  CleanErrorQueue& operator=(const CleanErrorQueue&) = delete;
  ~CleanErrorQueue();
};

/// OpenSSL's byte type, both ways.
[[nodiscard]] inline const unsigned char* octets(ByteView bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

[[nodiscard]] inline unsigned char* octets(MutableBytes bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

[[nodiscard]] inline ByteView view_of(const unsigned char* data, std::size_t size) noexcept {
  return {reinterpret_cast<const std::byte*>(data), size};
}

/// Read-only BIO over memory that outlives it.
[[nodiscard]] BioPtr memory_source(ByteView bytes);

/// What was written to a memory BIO; valid as long as the BIO is.
[[nodiscard]] ByteView content_of(BIO* memory) noexcept;

}  // namespace imprint::crypto
