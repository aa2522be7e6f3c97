#pragma once

#include <system_error>

#include "imprint/base/file.hpp"

namespace imprint {

/// Lets a folder's owner, which we have to be, do everything in it. False with errno set when that
/// is not to be.
bool let_in(const fs::path& folder);

/// Removes all of it, also of folders that keep even their owner out, which root never meets.
std::error_code remove_tree(const fs::path& path);

}  // namespace imprint
