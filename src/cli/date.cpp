#include "date.hpp"

#include "imprint/base/text.hpp"

namespace imprint::cli {

Result<TimePoint> parse_date(std::string_view text) {
  if (const auto day = from_date(text)) return *day;
  if (const auto moment = from_rfc3339(text)) return *moment;
  return fail(Code::invalid_input,
              quoted(text) + " is no date: write 2030-01-31 or 2030-01-31T12:00:00Z");
}

}  // namespace imprint::cli
