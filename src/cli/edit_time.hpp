#pragma once

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"

namespace imprint::cli {

/// The time that edits put on files: SOURCE_DATE_EPOCH where it is set (reproducible-builds.org),
/// now otherwise. Code::invalid_input when it is set to no number.
[[nodiscard]] Result<TimePoint> edit_time(const Clock& clock);

}  // namespace imprint::cli
