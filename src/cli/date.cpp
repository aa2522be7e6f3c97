#include "date.hpp"

#include <cstdio>

#include "imprint/base/text.hpp"

namespace imprint::cli {

Result<TimePoint> parse_date(std::string_view text) {
  const std::string copy(text);
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int used = 0;
  const auto wrong = [&] {
    return fail(Code::invalid_input,
                quoted(text) + " is no date: write 2030-01-31 or 2030-01-31T12:00:00Z");
  };
  // sscanf skips signs and blanks; the lengths below keep them out.
  if (std::sscanf(copy.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &used) != 3 || used != 10)
    return wrong();
  if (copy.size() != 10) {
    int clock_used = 0;
    const char* clock = copy.c_str() + used;
    if (std::sscanf(clock, "T%2d:%2d:%2dZ%n", &hour, &minute, &second, &clock_used) != 3 ||
        clock_used != 10 || copy.size() != 20) {
      return wrong();
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59 || hour < 0 || minute < 0 || second < 0)
    return wrong();
  return TimePoint(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second);
}

}  // namespace imprint::cli
