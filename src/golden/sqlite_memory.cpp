// An overlay store's pages hold private keys, and SQLite gives the memory of its page cache back as
// it is. Its allocator can be replaced, once, before its first use.

#include <algorithm>
#include <cstring>

#include <sqlite3.h>

#include "imprint/crypto/secret.hpp"
#include "imprint/golden/store.hpp"

namespace imprint::golden {
namespace {

sqlite3_mem_methods original;

void wipe_and_free(void* memory) {
  if (memory == nullptr) return;
  crypto::wipe(memory, static_cast<std::size_t>(original.xSize(memory)));
  original.xFree(memory);
}

void* reallocate(void* memory, int size) {
  const int before = original.xSize(memory);
  if (size <= before) return memory;
  void* const larger = original.xMalloc(size);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, static_cast<std::size_t>(std::min(before, size)));
  wipe_and_free(memory);
  return larger;
}

bool replace_allocator() {
  if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &original) != SQLITE_OK) return false;
  sqlite3_mem_methods wiping = original;
  wiping.xFree = wipe_and_free;
  wiping.xRealloc = reallocate;
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &wiping) == SQLITE_OK;
}

}  // namespace

bool wipe_database_memory() noexcept {
  static const bool replaced = replace_allocator();
  return replaced;
}

}  // namespace imprint::golden
