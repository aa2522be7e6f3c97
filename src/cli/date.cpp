#include "date.hpp"

#include <charconv>

#include "imprint/base/text.hpp"

namespace imprint::cli {

Result<TimePoint> parse_date(std::string_view text) {
  if (const auto day = from_date(text)) return *day;
  if (const auto moment = from_rfc3339(text)) return *moment;
  return fail(Code::invalid_input,
              quoted(text) + " is no date: write 2030-01-31 or 2030-01-31T12:00:00Z");
}

Result<std::chrono::seconds> parse_span(std::string_view text) {
  using namespace std::chrono;
  constexpr std::uint32_t kMost = 100'000;
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error == std::errc() && count <= kMost) {
    if (unit == "h") return hours(count);
    if (unit == "d" || unit.empty()) return days(count);
    if (unit == "w") return weeks(count);
  }
  return fail(Code::invalid_input,
              quoted(text) + " is no span of time: write 12h, 90d or 4w, up to 100000 of them");
}

}  // namespace imprint::cli
