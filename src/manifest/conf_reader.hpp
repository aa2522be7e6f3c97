#pragma once

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::manifest {

/// `mender_conf` of a manifest that has passed the schema; host paths are relative to `base`.
/// Opens no file. Errors begin with the JSON pointer and never show a tenant token.
[[nodiscard]] Result<MenderConfSpec> read_mender_conf(const nlohmann::ordered_json& object,
                                                      const fs::path& base);

/// A URL that Mender clients can ask: `https://HOST[:PORT][/PATH]`. `http://` is possible, which is
/// for callers to warn about. The error does not repeat the URL.
[[nodiscard]] Result<> check_server_url(std::string_view url);

}  // namespace imprint::manifest
