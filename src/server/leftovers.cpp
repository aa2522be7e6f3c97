#include "leftovers.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "imprint/base/text.hpp"
#include "imprint/base/whole_folder.hpp"
#include "imprint/server/deployment.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

/// `.NAME.0123456789abcdef.tmp`, as NewFile names them.
bool is_temporary_of_text(std::string_view name) {
  constexpr std::string_view kSuffix = ".tmp";
  constexpr std::size_t kDigits = 16;
  return std::ranges::any_of(
      std::array<std::string_view, 3>{kComposeFile, kHelmFile, kSecretsFile},
      [&](std::string_view text) {
        if (name.size() != text.size() + 2 + kDigits + kSuffix.size()) return false;
        const std::string_view digits = name.substr(text.size() + 2, kDigits);
        return name.front() == '.' && name.substr(1, text.size()) == text &&
               name[text.size() + 1] == '.' && name.ends_with(kSuffix) &&
               digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
      });
}

/// The folders that are written as a whole, below that of the tree.
std::vector<fs::path> whole_folders(Layout layout) {
  std::vector<fs::path> folders = {fs::path(certificates_folder(layout))};
  for (const Service service : kServices)
    folders.emplace_back(service_folder(service));
  return folders;
}

fs::path work_folder(const fs::path& folder) {
  return folder.parent_path() / ("." + folder.filename().native() + ".new");
}

std::set<fs::path> temporary_files(const fs::path& directory) {
  std::set<fs::path> found;
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path name = entries->path().filename();
    if (is_temporary_of_text(name.native())) found.insert(name);
  }
  return found;
}

}  // namespace

Result<std::set<fs::path>> leftovers(const fs::path& directory, Layout layout) {
  std::set<fs::path> found = temporary_files(directory);
  for (const fs::path& folder : whole_folders(layout)) {
    const bool there = IMPRINT_TRY(is_there(directory / work_folder(folder)));
    if (there) found.insert(work_folder(folder));
  }
  return found;
}

Result<> remove_leftovers(const fs::path& directory, Layout layout) {
  for (const fs::path& name : temporary_files(directory))
    IMPRINT_TRY(remove_file(directory / name));
  for (const fs::path& folder : whole_folders(layout)) {
    const bool there = IMPRINT_TRY(is_there(directory / work_folder(folder)));
    if (!there) continue;
    // Takes it over unless another run works there, and removes it at once.
    const auto taken = WholeFolder::beside(directory / folder, kFolderMode);
    static_cast<void>(taken);
  }
  return {};
}

Result<TextsLock> TextsLock::acquire(const fs::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail(system_error("opening the folder " + quoted(directory.string())));
  TextsLock lock(fd);
  int status = 0;
  do {
    status = ::flock(fd, LOCK_EX);
  } while (status != 0 && errno == EINTR);
  if (status == 0) return lock;
  return fail(system_error("locking the folder " + quoted(directory.string())));
}

TextsLock::TextsLock(TextsLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

TextsLock::~TextsLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace imprint::server
