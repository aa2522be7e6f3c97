#include "output_directory.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::pipeline {

namespace {

/// Imprint's own corner: lock and golden image. Hidden, so that `out/*` names results only.
constexpr const char* kPrivateFolder = ".imprint";

Result<> remove_matching(const fs::path& directory, bool (*matches)(std::string_view name)) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (matches(name)) IMPRINT_TRY(remove_file(entry->path()));
  }
  if (error) return fail(system_error(quoted(directory.string()), error.value()));
  return {};
}

/// As NewFile names them.
bool is_temporary(std::string_view name) {
  return name.starts_with('.') && name.ends_with(".tmp");
}

}  // namespace

std::string golden_image_name(std::string_view digest_hex) {
  return fmt::format("golden-{}.img", digest_hex.substr(0, 16));
}

Result<OutputDirectory> OutputDirectory::open(const fs::path& directory) {
  const fs::path corner = directory / kPrivateFolder;
  IMPRINT_TRY(make_directories(corner, 0755).context("output directory"));
  auto lock = DirectoryLock::acquire(corner / "lock");
  if (!lock && lock.error().code == Code::busy) {
    return fail(std::move(lock).error().context(
        fmt::format("another run is at work in {}", quoted(directory.string()))));
  }
  if (!lock) return fail(std::move(lock).error());
  IMPRINT_TRY(remove_matching(directory, is_temporary));
  IMPRINT_TRY(remove_matching(corner, is_temporary));
  return OutputDirectory(directory, std::move(*lock));
}

fs::path OutputDirectory::golden_image(std::string_view digest_hex) const {
  return path_ / kPrivateFolder / golden_image_name(digest_hex);
}

Result<> OutputDirectory::remove_other_golden_images(std::string_view digest_hex) const {
  const std::string keep = golden_image_name(digest_hex);
  std::error_code error;
  for (fs::directory_iterator entry(path_ / kPrivateFolder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("golden-") && name != keep) IMPRINT_TRY(remove_file(entry->path()));
  }
  if (error) return fail(system_error(quoted((path_ / kPrivateFolder).string()), error.value()));
  return {};
}

Result<> check_writable(const fs::path& directory) {
  const std::string output = "output directory " + quoted(directory.string());
  fs::path existing = directory;
  std::error_code error;
  while (!fs::exists(existing, error)) {
    if (fs::is_symlink(existing, error)) {
      return fail(Code::invalid_input, fmt::format("{}: {} is a symbolic link that leads nowhere",
                                                   output, quoted(existing.string())));
    }
    if (existing == existing.parent_path()) break;
    existing = existing.has_parent_path() ? existing.parent_path() : fs::path(".");
  }
  if (!fs::is_directory(existing, error)) {
    return fail(Code::invalid_input,
                fmt::format("{}: {} is not a directory", output, quoted(existing.string())));
  }
  if (::access(existing.c_str(), W_OK | X_OK) != 0) {
    return fail(
        system_error(fmt::format("{}: cannot write to {}", output, quoted(existing.string()))));
  }
  return {};
}

}  // namespace imprint::pipeline
