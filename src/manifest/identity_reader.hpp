#pragma once

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/result.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::manifest {

/// `identity` of a manifest that has passed the schema: the profile's defaults, and what the
/// manifest says instead. Errors begin with the JSON pointer.
[[nodiscard]] Result<IdentitySpec> read_identity(const nlohmann::ordered_json& object);

/// The path on the device that `key` of the object names; `pointer` is the object's.
[[nodiscard]] Result<std::string> read_device_path(const nlohmann::ordered_json& object,
                                                   const char* key, std::string_view otherwise,
                                                   const std::string& pointer);

/// Reads and checks key usages, purposes, policies and the switched extensions into `identity`,
/// whose key and profile defaults are in it already.
[[nodiscard]] Result<> read_extensions(const nlohmann::ordered_json& object,
                                       IdentitySpec& identity);

/// Reads when the certificates are to be valid over the defaults that are in `identity` already.
[[nodiscard]] Result<> read_validity(const nlohmann::ordered_json& object, IdentitySpec& identity);

}  // namespace imprint::manifest
