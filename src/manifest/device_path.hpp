#pragma once

#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// Whether a text names one file of the device plainly: absolute, no empty, `.` or `..` component,
/// no trailing slash, nothing unprintable. The message says the rule, not the path.
Result<> check_device_path(std::string_view path);

/// Whether `path` names something below `directory`.
[[nodiscard]] bool is_inside(std::string_view path, std::string_view directory) noexcept;

}  // namespace imprint::manifest
