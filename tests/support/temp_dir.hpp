#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace imprint::test {

/// A directory of its own for a test, removed with all its content.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }

  /// A file with this content; returns its path.
  // NOLINTNEXTLINE(modernize-use-nodiscard): it is called for the file, the path is known
  std::filesystem::path write(std::string_view name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// Whole content of a file; a test failure and an empty text when it cannot be read.
[[nodiscard]] std::string slurp(const std::filesystem::path& path);

}  // namespace imprint::test
