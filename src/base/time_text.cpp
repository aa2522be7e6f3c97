// Times as people and certificates write them. Strict: every place has its digits, and what no
// calendar has is no time.

#include <array>

#include "imprint/base/clock.hpp"

namespace imprint {

namespace {

/// Takes a text apart from its front; what does not fit makes it bad for good.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  /// Exactly so many digits.
  int number(std::size_t digits) {
    int value = 0;
    if (rest_.size() < digits) return bad();
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return bad();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }

  void skip(char expected) {
    if (!take(expected)) bad();
  }

  bool take(char wanted) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

  [[nodiscard]] bool good() const { return good_; }

 private:
  int bad() {
    good_ = false;
    return 0;
  }

  std::string_view rest_;
  bool good_ = true;
};

std::optional<TimePoint> day_of(int year, int month, int day) {
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return TimePoint(std::chrono::sys_days(date));
}

std::optional<std::chrono::seconds> clock_of(int hour, int minute, int second) {
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

std::optional<TimePoint> scan_date(Scanner& scanner) {
  const int year = scanner.number(4);
  scanner.skip('-');
  const int month = scanner.number(2);
  scanner.skip('-');
  const int day = scanner.number(2);
  return scanner.good() ? day_of(year, month, day) : std::nullopt;
}

/// `Z`, or how much later than UTC the clock at hand is.
std::optional<std::chrono::seconds> scan_offset(Scanner& scanner) {
  if (scanner.take('Z')) return std::chrono::seconds(0);
  const bool behind = scanner.take('-');
  if (!behind) scanner.skip('+');
  const int hours = scanner.number(2);
  scanner.skip(':');
  const int minutes = scanner.number(2);
  const auto offset = clock_of(hours, minutes, 0);
  if (!scanner.good() || !offset) return std::nullopt;
  return behind ? -*offset : *offset;
}

}  // namespace

std::optional<TimePoint> from_rfc3339(std::string_view text) {
  Scanner scanner(text);
  const auto day = scan_date(scanner);
  scanner.skip('T');
  const int hour = scanner.number(2);
  scanner.skip(':');
  const int minute = scanner.number(2);
  scanner.skip(':');
  const int second = scanner.number(2);
  const auto clock = clock_of(hour, minute, second);
  const auto offset = scan_offset(scanner);
  if (!scanner.done() || !day || !clock || !offset) return std::nullopt;
  return *day + *clock - *offset;
}

std::optional<TimePoint> from_date(std::string_view text) {
  Scanner scanner(text);
  const auto day = scan_date(scanner);
  return scanner.done() ? day : std::nullopt;
}

std::optional<TimePoint> from_generalized_time(std::string_view text) {
  Scanner scanner(text);
  std::array<int, 5> parts{};  // month, day, hour, minute, second
  const int year = scanner.number(4);
  for (int& part : parts)
    part = scanner.number(2);
  scanner.skip('Z');
  const auto day = day_of(year, parts[0], parts[1]);
  const auto clock = clock_of(parts[2], parts[3], parts[4]);
  if (!scanner.done() || !day || !clock) return std::nullopt;
  return *day + *clock;
}

}  // namespace imprint
