#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "imprint/crypto/secret.hpp"
#include "secure_heap.hpp"

// LeakSanitizer attaches to its own process and cannot when that is not dumpable.
#if defined(__SANITIZE_ADDRESS__)
#define IMPRINT_LEAK_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IMPRINT_LEAK_CHECKED 1
#endif
#endif

namespace imprint::crypto {

namespace {

// OpenSSL 3.0 gives back memory that held a private key without wiping it, when it reads a key for
// one (d2i_AutoPrivateKey copies its parts, the decoders their input). So all of its memory is
// wiped, not only what it means to.
void* take(std::size_t size, const char* /*file*/, int /*line*/) {
  return std::malloc(size);
}

void give_back(void* memory, const char* /*file*/, int /*line*/) {
  if (memory == nullptr) return;
  wipe(memory, ::malloc_usable_size(memory));
  std::free(memory);
}

void* take_more(void* memory, std::size_t size, const char* file, int line) {
  const std::size_t before = memory == nullptr ? 0 : ::malloc_usable_size(memory);
  if (memory != nullptr && size <= before) return memory;
  void* const larger = take(size, file, line);
  if (larger == nullptr || memory == nullptr) return larger;
  std::memcpy(larger, memory, before);
  give_back(memory, file, line);
  return larger;
}

Hardening harden_once() {
  // Refused once OpenSSL has allocated anything, which in the program nothing has before us.
  CRYPTO_set_mem_functions(take, take_more, give_back);
#ifndef IMPRINT_LEAK_CHECKED
  // Neither core dumps nor another process of the same user can read our memory from here on.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  umask(077);
  switch (CRYPTO_secure_malloc_init(kSecureHeapBytes, kSecureHeapSmallestBlock)) {
    case 1:
      return Hardening::full;
    case 2:  // usable, but mlock or the guard pages were refused (RLIMIT_MEMLOCK)
      return Hardening::secure_heap_not_locked;
    default:
      return Hardening::no_secure_heap;
  }
}

}  // namespace

Hardening harden_process() {
  static const Hardening reached = harden_once();
  return reached;
}

}  // namespace imprint::crypto
