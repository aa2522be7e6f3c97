#pragma once

#include <span>
#include <string_view>

#include "imprint/server/settings.hpp"
#include "pair.hpp"

namespace imprint::server {

/// Code::invalid_input when one of the pairs, which are there already, is not as the settings ask;
/// the advice says what to do. Names are those of each pair in turn.
[[nodiscard]] Result<> refuse_contradiction(std::span<const Pair> pairs, const Settings& settings,
                                            std::string_view advice);

}  // namespace imprint::server
