#pragma once

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// Whether a document obeys the manifest's schema. The first offence is reported with its JSON
/// pointer and what would be right: `/identity/kee: unknown key (did you mean 'key'?)`. Values of
/// `/authority/passphrase` and `/authority/pin` are never repeated.
Result<> check_schema(const nlohmann::ordered_json& document);

/// The same for an authority.json: the object that a manifest has under `authority`.
Result<> check_authority_schema(const nlohmann::ordered_json& document);

}  // namespace imprint::manifest
