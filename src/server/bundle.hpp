#pragma once

#include <span>
#include <string>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::server {

/// A file of a folder that is written as a whole.
struct BundleFile {
  std::string name;
  ByteView content;
  unsigned mode = 0644;
};

/// Code::exists names the first of these files that is there; `instead` says what to do.
[[nodiscard]] Result<> refuse_existing(const fs::path& directory,
                                       std::span<const std::string> names,
                                       std::string_view instead);

/// Writes them all or none, into a folder that is made when missing. `replace`: what is there is
/// replaced, file by file, once all new ones are complete beside them; else it is Code::exists.
[[nodiscard]] Result<> write_bundle(const fs::path& directory, std::span<const BundleFile> files,
                                    bool replace);

}  // namespace imprint::server
