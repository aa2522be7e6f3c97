#include "imprint/crypto/digest.hpp"

#include <new>
#include <stdexcept>

#include "hasher.hpp"

namespace imprint::crypto {

namespace {

// A digest of memory fails only without memory or with a broken library: both are beyond a caller.
void require(int status) {
  if (status != 1) throw std::runtime_error("OpenSSL cannot compute a digest");
}

const EVP_MD* sha256_algorithm() {
  static const DigestPtr algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  require(algorithm != nullptr ? 1 : 0);
  return algorithm.get();
}

}  // namespace

Sha256Digest sha256(ByteView bytes) {
  Sha256Digest digest;
  require(EVP_Digest(bytes.data(), bytes.size(), octets(MutableBytes(digest)), nullptr,
                     sha256_algorithm(), nullptr));
  return digest;
}

struct Sha256::Impl {
  DigestContextPtr context{EVP_MD_CTX_new()};

  void start() { require(EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr)); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  if (impl_->context == nullptr) throw std::bad_alloc();
  impl_->start();
}

Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(ByteView bytes) {
  require(EVP_DigestUpdate(impl_->context.get(), bytes.data(), bytes.size()));
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  require(EVP_DigestFinal_ex(impl_->context.get(), octets(MutableBytes(digest)), nullptr));
  impl_->start();
  return digest;
}

const char* name(HashAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case HashAlgorithm::sha384:
      return "SHA384";
    case HashAlgorithm::sha512:
      return "SHA512";
    case HashAlgorithm::sha256:
      break;
  }
  return "SHA256";
}

struct Hash::Impl {
  DigestPtr algorithm;
  DigestContextPtr context{EVP_MD_CTX_new()};

  void start() { require(EVP_DigestInit_ex2(context.get(), algorithm.get(), nullptr)); }
};

Hash::Hash(HashAlgorithm algorithm) : Hash(name(algorithm)) {}

Hash Hash::sha1() {
  return Hash("SHA1");
}

Hash::Hash(const char* algorithm) : impl_(std::make_unique<Impl>()) {
  impl_->algorithm.reset(EVP_MD_fetch(nullptr, algorithm, nullptr));
  if (impl_->context == nullptr) throw std::bad_alloc();
  impl_->start();
}

Hash::Hash(Hash&&) noexcept = default;
Hash& Hash::operator=(Hash&&) noexcept = default;
Hash::~Hash() = default;

void Hash::update(ByteView bytes) {
  require(EVP_DigestUpdate(impl_->context.get(), bytes.data(), bytes.size()));
}

Bytes Hash::finish() {
  Bytes digest(static_cast<std::size_t>(EVP_MD_get_size(impl_->algorithm.get())));
  require(EVP_DigestFinal_ex(impl_->context.get(), octets(MutableBytes(digest)), nullptr));
  impl_->start();
  return digest;
}

Result<Hasher> Hasher::create(OSSL_LIB_CTX* library, const char* digest_name) {
  DigestPtr algorithm(EVP_MD_fetch(library, digest_name, nullptr));
  DigestContextPtr context(EVP_MD_CTX_new());
  if (algorithm == nullptr || context == nullptr) {
    return fail(openssl_error(Code::crypto, std::string("preparing the digest ") + digest_name));
  }
  return Hasher(std::move(algorithm), std::move(context));
}

bool Hasher::digest(ByteView bytes, MutableBytes into) noexcept {
  return into.size() == size() &&
         EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1 &&
         EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1 &&
         EVP_DigestFinal_ex(context_.get(), octets(into), nullptr) == 1;
}

}  // namespace imprint::crypto
