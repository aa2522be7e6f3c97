#pragma once

#include <string_view>

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"

namespace imprint::cli {

/// `2030-01-31` (its first second, UTC), `2030-01-31T12:00:00Z` or `2030-01-31T12:00:00+01:00`.
[[nodiscard]] Result<TimePoint> parse_date(std::string_view text);

/// `12h`, `90d` (or `90`) or `4w`.
[[nodiscard]] Result<std::chrono::seconds> parse_span(std::string_view text);

}  // namespace imprint::cli
