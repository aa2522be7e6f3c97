#pragma once

#include <string_view>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::server {

/// Refuses a new blacklist that lacks serials of the one in this file: whoever has those
/// certificates would be let in again, and a revocation is never taken back. Code::invalid_input
/// says how many. No file: nothing is lost.
[[nodiscard]] Result<> refuse_lost_revocations(const fs::path& blacklist, std::string_view wanted,
                                               const fs::path& ledger);

}  // namespace imprint::server
