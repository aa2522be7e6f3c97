#include "support/in_memory.hpp"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <unistd.h>

namespace imprint::test {

void TemporariesInMemory::SetUp() {
  constexpr const char* kMemory = "/dev/shm";
  constexpr std::uintmax_t kEnoughBytes = std::uintmax_t{2} << 30;
  std::error_code none;
  const auto space = std::filesystem::space(kMemory, none);
  if (none || space.available < kEnoughBytes || ::access(kMemory, W_OK) != 0) return;
  ::setenv("TMPDIR", kMemory, 1);  // NOLINT(concurrency-mt-unsafe): before any test
}

}  // namespace imprint::test
