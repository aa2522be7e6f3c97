#include "progress.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace imprint::cli {
namespace {

TEST(ProgressText, SaysHowFarAndHowLongYet) {
  EXPECT_EQ(progress_text(50, 0, 100, 10), "50/100 devices, 5.0/s, 10 s left");
  EXPECT_EQ(progress_text(50, 2, 100, 10), "50/100 devices, 2 failed, 5.0/s, 10 s left");
  EXPECT_EQ(progress_text(100, 0, 100, 10), "100/100 devices, 10/s, 0.0 s left");
}

TEST(ProgressText, KnowsNothingBeforeTheFirstDevice) {
  EXPECT_EQ(progress_text(0, 0, 100, 0), "0/100 devices, 0.0 s");
  EXPECT_EQ(progress_text(0, 0, 100, 3), "0/100 devices, 3.0 s");
}

TEST(ProgressText, IsSaneWithFewDevices) {
  EXPECT_EQ(progress_text(1, 0, 100'000, 0.2), "1/100000 devices, 5.0/s, about 5 h 33 min left");
  EXPECT_EQ(progress_text(1, 0, 100, 20), "1/100 devices, 0.050/s, about 33 min left");
  EXPECT_EQ(progress_text(1, 0, 2, 3), "1/2 devices, 0.3/s, 3.0 s left");
}

TEST(Progress, GoesOnWhileNothingIsDone) {
  std::ostringstream terminal;
  Progress progress(terminal);
  progress.tick();
  EXPECT_EQ(terminal.str(), "") << "not before the batch has begun";
  progress.batch_started({}, 10, 0);
  progress.tick();
  EXPECT_EQ(terminal.str(), "\r\033[K0/10 devices, 0.0 s");
  progress.tick();
  EXPECT_EQ(terminal.str(), "\r\033[K0/10 devices, 0.0 s") << "less than a second later";
  progress.batch_finished({});
  terminal.str("");
  progress.tick();
  EXPECT_EQ(terminal.str(), "") << "nor after its end";
}

TEST(Duration, IsShort) {
  EXPECT_EQ(duration_text(3.24), "3.2 s");
  EXPECT_EQ(duration_text(45), "45 s");
  EXPECT_EQ(duration_text(12 * 60), "12 min");
  EXPECT_EQ(duration_text(125 * 60), "2 h 05 min");
}

}  // namespace
}  // namespace imprint::cli
