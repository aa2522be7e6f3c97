#include "backoff.hpp"

#include <set>

#include <gtest/gtest.h>

namespace imprint::devauth {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToHalfAMinuteAndCutsUpToAHalf) {
  Backoff backoff(500ms, 1);
  for (unsigned tries = 1; tries <= 100; ++tries) {
    const auto whole =
        std::min<std::chrono::milliseconds>(500ms * (1L << std::min(tries - 1, 20U)), 30s);
    const auto pause = backoff.pause(tries);
    EXPECT_GE(pause, whole / 2) << tries;
    EXPECT_LE(pause, whole) << tries;
  }
}

TEST(Backoff, SpreadsClientsThatFailTogether) {
  std::set<std::chrono::milliseconds> pauses;
  for (int client = 0; client < 50; ++client)
    pauses.insert(Backoff(1000ms).pause(1));
  EXPECT_GT(pauses.size(), 20U);
}

}  // namespace
}  // namespace imprint::devauth
