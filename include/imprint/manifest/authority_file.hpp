#pragma once

#include "imprint/authority/authority.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// A CA folder's authority.json: the object that a manifest has under `authority`, with paths
/// relative to the file. Opens none of what it names. Errors name the file and the key.
[[nodiscard]] Result<authority::AuthoritySource> read_authority_file(const fs::path& path);

}  // namespace imprint::manifest
