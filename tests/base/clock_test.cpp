#include "imprint/base/clock.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/command.hpp"

namespace imprint {
namespace {

using namespace std::chrono_literals;

TEST(Clock, FixedClockSaysWhatItWasTold) {
  const FixedClock clock(TimePoint(1'795'203'963s));
  EXPECT_EQ(clock.now(), TimePoint(1'795'203'963s));
}

TEST(Clock, SystemClockIsTheSystems) {
  const auto before = std::chrono::system_clock::now();
  const TimePoint now = system_clock().now();
  EXPECT_GE(now, before - 1s);
  EXPECT_LE(now, std::chrono::system_clock::now());
}

TEST(Clock, Rfc3339AgreesWithDate) {
  IMPRINT_NEED_COMMAND("date");
  for (const long seconds :
       {0L, 951'782'400L, 1'795'203'963L, 2'147'483'648L, 4'102'444'799L, 253'402'300'799L}) {
    const auto date = test::run_command(
        {"date", "-u", "-d", "@" + std::to_string(seconds), "+%Y-%m-%dT%H:%M:%SZ"});
    EXPECT_EQ(to_rfc3339(TimePoint(std::chrono::seconds(seconds))) + "\n", date.out);
  }
}

}  // namespace
}  // namespace imprint
