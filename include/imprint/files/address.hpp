#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::files {

/// A place inside an image, as people write it: `IMAGE:PATH`.
struct Address {
  fs::path image;
  std::string path = "/";
  bool names_path = false;  ///< false: the image as a whole (`IMAGE`)
};

/// Takes an argument apart. The image is the longest part before a colon (or all) that is a file,
/// so that its name may hold colons; where no part is one, the part before the first `:/`. Paths
/// are absolute. Code::not_found when there is no such image.
[[nodiscard]] Result<Address> parse_address(std::string_view argument);

/// For a place that may as well be on this machine: none when the argument is no IMAGE:PATH. A file
/// of that whole name is meant as the file.
[[nodiscard]] Result<std::optional<Address>> parse_place(std::string_view argument);

}  // namespace imprint::files
