#pragma once

#include <string>
#include <string_view>

namespace imprint::server {

/// A blacklist (serials in hexadecimal, one a line) as entries of a `map` of nginx from
/// $ssl_client_serial to 1. nginx compares without regard to case.
[[nodiscard]] std::string revoked_map(std::string_view blacklist);

}  // namespace imprint::server
