#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "imprint/authority/authority.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// The CA from a manifest's `authority` or an authority.json, which has passed the schema: a
/// folder, or an object. Paths are relative to `base`. Errors name the key below `pointer`.
Result<authority::AuthoritySource> read_authority(const nlohmann::ordered_json& value,
                                                  const fs::path& base, const std::string& pointer);

}  // namespace imprint::manifest
