#pragma once

#include "imprint/authority/authority.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// What is to be done with a CA: sign, or only read its certificate.
enum class KeyNeed { signs, none };

/// The CA of a folder: where its authority.json says it is, or the files that
/// authority::find_ca_folder finds. Code::not_found names the key file when only that is missing
/// and the CA is to sign.
[[nodiscard]] Result<authority::AuthoritySource> find_authority(const fs::path& directory,
                                                                KeyNeed need = KeyNeed::signs);

}  // namespace imprint::manifest
