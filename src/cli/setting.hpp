#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imprint/base/result.hpp"

namespace imprint::cli {

/// The arguments of --set, each `name=value`.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> parse_settings(
    std::span<const std::string> texts);

}  // namespace imprint::cli
