#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/result.hpp"
#include "imprint/image/file_systems.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::pipeline {

/// What the configuration of an image has to come to.
struct WantedConf {
  const manifest::IdentitySpec& identity;
  const nlohmann::ordered_json& settings;  ///< of ConfEntries: an object
};

/// Judges the configuration as the client will see it, main and fallback file together, in every
/// rootfs: it must be accepted, its HttpsClient and Security must name the identity's files, and
/// the settings be what counts. Adds what a person should know to `warnings`, each once.
Result<> check_configuration(image::FileSystems& file_systems, const WantedConf& wanted,
                             std::vector<std::string>& warnings);

}  // namespace imprint::pipeline
