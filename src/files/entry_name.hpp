#pragma once

#include <string>

#include "imprint/files/source.hpp"

namespace imprint::files {

/// Whether an entry of a directory of `source` has a name that can lead nowhere but to a file in
/// the directory: a damaged or malicious file system may have `..` or `a/b`. Code::corrupt if not.
[[nodiscard]] Result<> check_entry_name(const std::string& name, const Source& source);

}  // namespace imprint::files
