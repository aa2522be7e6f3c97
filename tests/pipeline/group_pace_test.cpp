#include "group_pace.hpp"

#include <gtest/gtest.h>

namespace imprint::pipeline {
namespace {

using namespace std::chrono_literals;

/// The size after so many groups whose devices take `each`.
std::size_t size_after(int groups, std::chrono::nanoseconds each, GroupPace& pace) {
  for (int i = 0; i < groups; ++i)
    pace.measured(pace.next(), each * pace.next());
  return pace.next();
}

TEST(GroupPace, StartsWithOneDevice) {
  EXPECT_EQ(GroupPace(2048).next(), 1U);
}

TEST(GroupPace, FastDevicesTravelInLargeGroups) {
  GroupPace pace(2048);
  EXPECT_EQ(size_after(6, 40us, pace), 2048U) << "seven groups, and it is as large as it gets";
  EXPECT_EQ(size_after(50, 40us, pace), 2048U);
}

TEST(GroupPace, GrowsFourfoldAtMost) {
  GroupPace pace(2048);
  EXPECT_EQ(size_after(1, 1us, pace), 4U);
  EXPECT_EQ(size_after(1, 1us, pace), 16U);
}

TEST(GroupPace, SlowDevicesTravelAlone) {
  GroupPace pace(2048);
  EXPECT_EQ(size_after(20, 1200ms, pace), 1U) << "RSA-4096";
}

TEST(GroupPace, AGroupTakesAboutAQuarterOfASecond) {
  for (const std::chrono::microseconds each : {100us, 1000us, 20000us, 100000us}) {
    GroupPace pace(1'000'000);
    const std::size_t size = size_after(20, each, pace);
    EXPECT_LE(size * each, 250ms) << each.count();
    EXPECT_GT((size + 1) * each, 250ms) << each.count();
  }
}

TEST(GroupPace, FollowsASignerThatBecomesSlow) {
  GroupPace pace(2048);
  ASSERT_EQ(size_after(20, 40us, pace), 2048U);
  EXPECT_LE(size_after(1, 100ms, pace), 16U) << "one slow group is enough";
  EXPECT_LE(size_after(4, 100ms, pace), 2U);
  EXPECT_EQ(size_after(40, 40us, pace), 2048U) << "and back again";
}

TEST(GroupPace, OneLuckyKeyDoesNotMakeALargeGroup) {
  GroupPace pace(2048);
  size_after(10, 200ms, pace);
  pace.measured(1, 10ms);
  EXPECT_LE(pace.next(), 2U);
}

TEST(GroupPace, NeverExceedsTheMost) {
  GroupPace one(1);
  EXPECT_EQ(size_after(10, 1us, one), 1U);
  GroupPace three(3);
  EXPECT_EQ(size_after(10, 0us, three), 3U);
}

TEST(GroupPace, FailuresSayNothing) {
  GroupPace pace(2048);
  size_after(10, 100ms, pace);
  const std::size_t before = pace.next();
  pace.measured(0, 1us);
  EXPECT_EQ(pace.next(), before);
}

}  // namespace
}  // namespace imprint::pipeline
