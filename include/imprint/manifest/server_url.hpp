#pragma once

#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// A URL that Mender clients can ask: `https://HOST[:PORT][/PATH]`. `http://` is possible, which is
/// for callers to warn about. The error does not repeat the URL.
[[nodiscard]] Result<> check_server_url(std::string_view url);

/// Whether two such URLs differ in nothing but the host's case, the default port, or slashes at the
/// end.
[[nodiscard]] bool name_one_server(std::string_view a, std::string_view b);

}  // namespace imprint::manifest
