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

}  // namespace imprint::manifest
