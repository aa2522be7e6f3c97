#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace imprint {

using TimePoint = std::chrono::sys_seconds;

/// Where "now" comes from, so that tests and reproducible runs can say it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

/// The operating system's clock, cut to whole seconds.
[[nodiscard]] const Clock& system_clock() noexcept;

class FixedClock final : public Clock {
 public:
  explicit FixedClock(TimePoint now) : now_(now) {}

  [[nodiscard]] TimePoint now() const override { return now_; }

 private:
  TimePoint now_;
};

/// RFC 3339 in UTC: `2026-11-20T19:46:03Z`.
[[nodiscard]] std::string to_rfc3339(TimePoint time);

/// The inverse, and more of RFC 3339: a date and time with `Z` or an offset (`+01:00`), without
/// fractions. None for everything else, leap seconds and dates that no calendar has among it.
[[nodiscard]] std::optional<TimePoint> from_rfc3339(std::string_view text);

/// The first second, in UTC, of a date like `2030-01-31`; none when it is no date.
[[nodiscard]] std::optional<TimePoint> from_date(std::string_view text);

/// ASN.1's GeneralizedTime as certificates hold it: `99991231235959Z`.
[[nodiscard]] std::optional<TimePoint> from_generalized_time(std::string_view text);

}  // namespace imprint
