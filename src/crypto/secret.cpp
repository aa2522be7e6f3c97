// Secret memory. OpenSSL's secure heap is one small locked arena (harden.cpp). Its room belongs
// first to the library itself: key generation takes its big numbers from there and *fails* when the
// arena is full, it does not fall back. So a buffer comes from the arena only while that is less
// than half full and the buffer is small; otherwise from the ordinary heap, wiped all the same.

#include "imprint/crypto/secret.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <openssl/crypto.h>

#include "secure_heap.hpp"

namespace imprint::crypto {

namespace {

constexpr std::size_t kLargestInArena = 16 * 1024;

std::byte* allocate(std::size_t size) {
  void* memory = nullptr;
  if (size <= kLargestInArena && CRYPTO_secure_malloc_initialized() == 1 &&
      CRYPTO_secure_used() < kSecureHeapBytes / 2) {
    memory = OPENSSL_secure_malloc(size);
  }
  if (memory == nullptr) memory = OPENSSL_malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<std::byte*>(memory);
}

void release(std::byte* memory, std::size_t size) noexcept {
  // Knows by the address whether this was the arena's memory, and wipes it either way.
  OPENSSL_secure_clear_free(memory, size);
}

}  // namespace

void wipe(void* data, std::size_t size) noexcept {
  // Not OPENSSL_cleanse, which goes eight bytes at a time: as every block that OpenSSL gives back
  // is wiped, that cost a tenth of a batch's processor time.
  if (size != 0) ::explicit_bzero(data, size);
}

SecretBytes::SecretBytes(std::size_t size) {
  resize(size);
}

SecretBytes::SecretBytes(ByteView copy_of) {
  append(copy_of);
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    release(data_, capacity_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() {
  release(data_, capacity_);
}

void SecretBytes::resize(std::size_t size) {
  if (size > capacity_) {
    const std::size_t grown = std::max(size, capacity_ * 2);
    std::byte* memory = allocate(grown);
    if (size_ != 0) std::memcpy(memory, data_, size_);
    release(data_, capacity_);
    data_ = memory;
    capacity_ = grown;
  }
  if (size < size_) wipe(data_ + size, size_ - size);
  if (size > size_) std::memset(data_ + size_, 0, size - size_);
  size_ = size;
}

void SecretBytes::append(ByteView bytes) {
  if (bytes.empty()) return;
  const std::size_t before = size_;
  resize(before + bytes.size());
  std::memcpy(data_ + before, bytes.data(), bytes.size());
}

void SecretBytes::clear() noexcept {
  if (size_ != 0) wipe(data_, size_);
  size_ = 0;
}

}  // namespace imprint::crypto
