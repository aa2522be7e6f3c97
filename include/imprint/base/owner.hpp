#pragma once

#include <filesystem>
#include <sys/types.h>

#include "imprint/base/result.hpp"

namespace imprint {

namespace fs = std::filesystem;

/// Whom a file belongs to.
struct Owner {
  uid_t user = 0;
  gid_t group = 0;

  bool operator==(const Owner&) const = default;
};

/// The owner of a file or folder; links are followed. Code::not_found when there is none.
[[nodiscard]] Result<Owner> owner_of(const fs::path& path);

/// Gives an open file or folder away, as far as the system lets us: who is not root keeps what he
/// has made, which is no error. `shown` stands for it in messages.
[[nodiscard]] Result<> give_to(int fd, Owner owner, const fs::path& shown);

}  // namespace imprint
