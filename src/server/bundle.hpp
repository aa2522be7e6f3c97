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

/// Writes them all or none, into a folder that is made when missing (0755, whatever the umask, as
/// are those above it). What is there is Code::exists.
[[nodiscard]] Result<> write_new(const fs::path& directory, std::span<const BundleFile> files);

/// The same over what is there, one after the other once all are complete beside it.
[[nodiscard]] Result<> write_over(const fs::path& directory, std::span<const BundleFile> files);

}  // namespace imprint::server
