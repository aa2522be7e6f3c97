#pragma once

#include "imprint/authority/authority.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// The CA of a folder: where its authority.json says it is, or the files that
/// authority::find_ca_folder finds. Code::not_found names the key file when only that is missing.
[[nodiscard]] Result<authority::AuthoritySource> find_authority(const fs::path& directory);

}  // namespace imprint::manifest
