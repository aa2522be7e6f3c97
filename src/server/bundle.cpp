#include "bundle.hpp"

#include <fmt/format.h>

#include "imprint/base/new_folder.hpp"
#include "imprint/base/text.hpp"

namespace imprint::server {

namespace {

/// The folder and those above it that are not there, the uppermost last.
std::vector<fs::path> missing_folders(fs::path directory) {
  std::vector<fs::path> missing;
  std::error_code ignored;
  if (!directory.has_filename()) directory = directory.parent_path();
  for (; !directory.empty() && !fs::exists(directory, ignored); directory = directory.parent_path())
    missing.push_back(directory);
  return missing;
}

/// Whatever the umask: servers drop root's rights and still have to get to their files.
Result<> let_through(std::span<const fs::path> folders) {
  for (const fs::path& folder : folders) {
    std::error_code error;
    fs::permissions(folder, fs::perms{0755}, error);
    if (error) {
      return fail(system_error(fmt::format("setting the mode of {}", quoted(folder.string())),
                               error.value()));
    }
  }
  return {};
}

}  // namespace

Result<> write_over(const fs::path& directory, std::span<const BundleFile> files) {
  IMPRINT_TRY(make_directories(directory));
  std::vector<NewFile> complete;
  for (const BundleFile& file : files) {
    NewFile made = IMPRINT_TRY(NewFile::beside(directory / file.name, file.mode));
    IMPRINT_TRY(made.file().write_all(0, file.content));
    IMPRINT_TRY(made.file().sync());
    complete.push_back(std::move(made));
  }
  // From here on only a rename can fail.
  for (NewFile& file : complete)
    IMPRINT_TRY(file.publish_synced());
  return sync_directory(directory);
}

Result<> refuse_existing(const fs::path& directory, std::span<const std::string> names,
                         std::string_view instead) {
  for (const std::string& name : names) {
    std::error_code ignored;
    const fs::path path = directory / name;
    if (!fs::exists(fs::symlink_status(path, ignored))) continue;
    return fail(Code::exists, fmt::format("{} exists and is not overwritten; {}",
                                          quoted(path.string()), instead));
  }
  return {};
}

Result<> write_new(const fs::path& directory, std::span<const BundleFile> files) {
  NewFolder folder(directory);
  const std::vector<fs::path> missing = missing_folders(directory);
  IMPRINT_TRY(folder.open(0755));
  IMPRINT_TRY(let_through(missing));
  for (const BundleFile& file : files)
    IMPRINT_TRY(folder.write(directory / file.name, file.content, file.mode));
  return folder.keep();
}

}  // namespace imprint::server
