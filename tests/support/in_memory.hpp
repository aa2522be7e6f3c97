#pragma once

#include <gtest/gtest.h>

namespace imprint::test {

/// Puts the temporary directories of a test program into memory where there is room for them: for
/// tests that sync thousands of times and are about processes that die, not about disks.
class TemporariesInMemory final : public testing::Environment {
 public:
  void SetUp() override;
};

}  // namespace imprint::test

/// Once, at the top of a test file.
#define IMPRINT_TEMPORARIES_IN_MEMORY()                          \
  [[maybe_unused]] const testing::Environment* const kInMemory = \
      testing::AddGlobalTestEnvironment(new ::imprint::test::TemporariesInMemory)
