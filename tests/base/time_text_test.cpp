#include <gtest/gtest.h>

#include "imprint/base/clock.hpp"
#include "support/command.hpp"

namespace imprint {
namespace {

/// By GNU date.
std::string judged(const std::string& text) {
  std::string out = test::run_command({"date", "-u", "-d", text, "+%Y-%m-%dT%H:%M:%SZ"}).out;
  out.resize(out.empty() ? 0 : out.size() - 1);
  return out;
}

TEST(TimeText, ReadsTimesAsDateDoes) {
  for (const char* text :
       {"1950-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2024-02-29T12:30:01Z",
        "2030-01-31T12:00:00+01:00", "2030-01-01T00:30:00+05:45", "2030-12-31T23:00:00-02:30",
        "9999-12-31T23:59:59Z", "2030-06-01T00:00:00-00:00"}) {
    const auto time = from_rfc3339(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(to_rfc3339(*time), judged(text)) << text;
  }
}

TEST(TimeText, ReadsDatesAndGeneralizedTimes) {
  EXPECT_EQ(to_rfc3339(from_date("2030-01-31").value()), "2030-01-31T00:00:00Z");
  EXPECT_EQ(to_rfc3339(from_generalized_time("99991231235959Z").value()), "9999-12-31T23:59:59Z");
  EXPECT_EQ(to_rfc3339(from_generalized_time("20240229000001Z").value()), "2024-02-29T00:00:01Z");
}

TEST(TimeText, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "2030",
                           "2030-01-31",
                           "2030-01-31T12:00:00",
                           "2030-01-31t12:00:00Z",
                           "2030-01-31 12:00:00Z",
                           "2030-02-29T12:00:00Z",
                           "2030-13-01T12:00:00Z",
                           "2030-00-01T12:00:00Z",
                           "2030-01-00T12:00:00Z",
                           "2030-01-31T24:00:00Z",
                           "2030-01-31T12:60:00Z",
                           "2030-12-31T23:59:60Z",
                           "2030-01-31T12:00:00.5Z",
                           "2030-01-31T12:00:00Zx",
                           "2030-1-31T12:00:00Z",
                           "+030-01-31T12:00:00Z",
                           "2030-01-31T-1:00:00Z",
                           "2030-01-31T12:00:00+0100",
                           "2030-01-31T12:00:00+24:00",
                           "12030-01-31T12:00:00Z",
                           "2030-01-31T12:00:00+01:00Z"}) {
    EXPECT_FALSE(from_rfc3339(text)) << text;
  }
  for (const char* text : {"", "2030-02-30", "2030-01-31T12:00:00Z", "2030-1-31", "30-01-31",
                           "2030-01-31 ", " 2030-01-31", "20300131"}) {
    EXPECT_FALSE(from_date(text)) << text;
  }
  for (const char* text :
       {"", "99991231235959", "9999123123595Z", "99991231235960Z", "99990230000000Z",
        "991231235959Z", "99991231235959.0Z", "99991231235959+0000"}) {
    EXPECT_FALSE(from_generalized_time(text)) << text;
  }
}

}  // namespace
}  // namespace imprint
