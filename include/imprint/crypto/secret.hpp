#pragma once

#include <cstddef>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

namespace imprint::crypto {

/// Bytes of a private key or passphrase: in OpenSSL's locked secure heap when it has room (ordinary
/// memory otherwise), wiped when released or overwritten. Move-only; has no printing and no
/// comparison with time that depends on the content.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size);
  explicit SecretBytes(ByteView copy_of);
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  [[nodiscard]] std::byte* data() noexcept { return data_; }

  [[nodiscard]] const std::byte* data() const noexcept { return data_; }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  [[nodiscard]] ByteView view() const noexcept { return {data_, size_}; }

  [[nodiscard]] MutableBytes mutable_view() noexcept { return {data_, size_}; }

  /// Grows without losing content (old memory wiped) or forgets the tail (wiped). Capacity is kept
  /// for reuse.
  void resize(std::size_t size);
  void append(ByteView bytes);
  void clear() noexcept;  ///< wipes and keeps the capacity

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Allocator for std containers whose memory is wiped when it is given back (ordinary heap, not
/// locked): for buffers that may hold a copy of key bytes on their way into an image, too large for
/// the secure heap.
template <class T>
struct WipingAllocator;

void wipe(void* data, std::size_t size) noexcept;

template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;

  template <class U>
  WipingAllocator(const WipingAllocator<U>& /*other*/) noexcept {}

  T* allocate(std::size_t n) { return std::allocator<T>{}.allocate(n); }

  void deallocate(T* p, std::size_t n) noexcept {
    wipe(p, n * sizeof(T));
    std::allocator<T>{}.deallocate(p, n);
  }

  friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};

using WipedBytes = std::vector<std::byte, WipingAllocator<std::byte>>;

/// What could be had of the protection, for a warning.
enum class Hardening { full, secure_heap_not_locked, no_secure_heap };

/// Once, before the first secret: no core dumps, not traceable, umask 077, secure heap (4 MiB).
/// Idempotent.
Hardening harden_process();

}  // namespace imprint::crypto
