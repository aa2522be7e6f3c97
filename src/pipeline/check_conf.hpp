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

/// The main file of a rootfs; none also when there is no rootfs, or one that cannot be read here
/// (squashfs): the main file is not known then.
[[nodiscard]] Result<std::optional<std::string>> read_main_conf(image::FileSystems::Root& root);

/// Text of a file, or none when there is no such file.
[[nodiscard]] Result<std::optional<std::string>> read_text(image::DeviceTree& tree,
                                                           std::string_view path);

}  // namespace imprint::pipeline
