#pragma once

#include <optional>
#include <string>

#include "imprint/base/result.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::pipeline {

/// The two files that a client reads its configuration from, as they stand in an image; none is a
/// file that does not exist.
struct ConfFiles {
  std::optional<std::string> main;
  std::optional<std::string> fallback;
};

/// Those of one rootfs. The main file is none also when the image has no rootfs, or one that cannot
/// be read here (squashfs): it is not known then.
[[nodiscard]] Result<ConfFiles> read_conf_files(image::FileSystems::Root& root);

}  // namespace imprint::pipeline
