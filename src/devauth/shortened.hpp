#pragma once

#include <string>
#include <string_view>

namespace imprint::devauth {

/// What others wrote, for a message: all of it, or its first 200 bytes, cut between characters, and
/// `...`.
[[nodiscard]] std::string shortened(std::string_view text);

}  // namespace imprint::devauth
