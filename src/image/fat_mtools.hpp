#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/content.hpp"

namespace imprint::image {

/// Runs a tool of mtools on the file behind a descriptor: without a shell, without anybody's
/// configuration, without a terminal to ask on, and not for ever. Times that it writes are `now`.
/// Code::io when mtools is not installed or the tool fails; the message has what it said.
[[nodiscard]] Result<> run_mtools(int image, std::string_view tool,
                                  const std::vector<std::string>& arguments, TimePoint now,
                                  const Content* input);

}  // namespace imprint::image
