#pragma once

#include <optional>
#include <set>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/server/deployment.hpp"
#include "imprint/server/layout.hpp"

namespace imprint::server {

/// All files that a tree of this layout has, and the files and folders that rotations add; of the
/// numbered keys those that are in the folder.
[[nodiscard]] Result<std::set<fs::path>> tree_paths(const fs::path& directory, Layout layout);

/// What a folder that keygen has filled holds. Code::not_found when it holds neither layout,
/// Code::invalid_input when a service's key is missing, or the folder a link that leads nowhere.
[[nodiscard]] Result<Deployment> read_tree(const fs::path& directory);

/// Whether what the tree holds can be used: certificates and keys are such, and belong together.
/// Code::invalid_input names the file.
[[nodiscard]] Result<> check_tree(const Deployment& tree);

/// The numbers of a service's keys, ascending; empty when it has none. A folder that cannot be read
/// is not one without keys.
[[nodiscard]] Result<std::vector<unsigned>> service_key_ids(const fs::path& directory,
                                                            Service service);

}  // namespace imprint::server
