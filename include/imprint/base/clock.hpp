#pragma once

#include <chrono>
#include <string>

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

}  // namespace imprint
