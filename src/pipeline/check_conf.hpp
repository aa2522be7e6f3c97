#pragma once

#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/image/file_systems.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::pipeline {

/// Judges the configuration as the client will see it, main and fallback file together, in every
/// rootfs: it must be accepted, and its HttpsClient and Security must name the identity's files.
/// Adds what a person should know to `warnings`, each once.
Result<> check_configuration(image::FileSystems& file_systems,
                             const manifest::IdentitySpec& identity,
                             std::vector<std::string>& warnings);

/// The main file of a rootfs; none also when there is no rootfs, or one that cannot be read here
/// (squashfs): the main file is not known then.
[[nodiscard]] Result<std::optional<std::string>> read_main_conf(image::FileSystems::Root& root);

/// Text of a file, or none when there is no such file.
[[nodiscard]] Result<std::optional<std::string>> read_text(image::DeviceTree& tree,
                                                           std::string_view path);

}  // namespace imprint::pipeline
