#pragma once

#include <span>
#include <string>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/owner.hpp"

namespace imprint::server {

/// A new file, and whom the file that it follows belongs to: a service may run as that user.
struct Successor {
  fs::path file;
  Owner owner;
};

/// For files of ours that should be those of others: what root has to do. Nothing for files that
/// somebody has given away since.
[[nodiscard]] Result<std::vector<std::string>> chown_notes(std::span<const Successor> successors);

}  // namespace imprint::server
