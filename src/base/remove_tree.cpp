#include "remove_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace imprint {

bool let_in(const fs::path& folder) {
  return ::fchmodat(AT_FDCWD, folder.c_str(), S_IRWXU, AT_SYMLINK_NOFOLLOW) == 0;
}

namespace {

void let_in_everywhere(const fs::path& folder) {
  if (!let_in(folder)) return;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code ignored;
    if (entries->symlink_status(ignored).type() == fs::file_type::directory)
      let_in_everywhere(entries->path());
  }
}

}  // namespace

std::error_code remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error != std::errc::permission_denied) return error;
  let_in_everywhere(path);
  fs::remove_all(path, error);
  return error;
}

}  // namespace imprint
