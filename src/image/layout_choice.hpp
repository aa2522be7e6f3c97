#pragma once

#include <vector>

#include "imprint/base/result.hpp"
#include "suspect.hpp"

namespace imprint::image {

/// Who plays which part; null: nobody.
struct Roles {
  const Suspect* boot = nullptr;
  const Suspect* rootfs_a = nullptr;
  const Suspect* rootfs_b = nullptr;
  const Suspect* data = nullptr;

  [[nodiscard]] bool taken(const Suspect& suspect) const noexcept {
    return &suspect == boot || &suspect == rootfs_a || &suspect == rootfs_b || &suspect == data;
  }
};

/// The parts that somebody has given away; Code::invalid_input, with the list of partitions, for a
/// choice that cannot be: a partition that is not there, one that is no file system of the role's
/// kinds, one for two roles.
[[nodiscard]] Result<Roles> apply_choice(const FileImage& image, const LayoutChoice& choice,
                                         const PartitionTable& table,
                                         const std::vector<Suspect>& suspects);

}  // namespace imprint::image
