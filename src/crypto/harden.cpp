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

Hardening harden_once() {
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
