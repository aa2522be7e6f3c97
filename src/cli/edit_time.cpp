#include "edit_time.hpp"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::cli {

Result<TimePoint> edit_time(const Clock& clock) {
  const char* variable = std::getenv("SOURCE_DATE_EPOCH");
  if (variable == nullptr || *variable == '\0') return clock.now();
  const std::string_view text(variable);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) {
    return fail(Code::invalid_input,
                fmt::format("SOURCE_DATE_EPOCH: {} is no number of seconds", quoted(text)));
  }
  return TimePoint(std::chrono::seconds(seconds));
}

}  // namespace imprint::cli
