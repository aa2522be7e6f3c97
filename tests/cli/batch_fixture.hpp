#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/command.hpp"
#include "support/image_oracle.hpp"
#include "support/temp_dir.hpp"

namespace imprint::cli::test {

namespace fs = std::filesystem;

using imprint::test::CommandResult;
using imprint::test::ImageOracle;
using imprint::test::run_command;
using imprint::test::slurp;
using Json = nlohmann::ordered_json;

/// The two base images of scripts/make-image: rootfs B as mender-convert and as Yocto leave it.
enum class Variant { populated, empty_b };

[[nodiscard]] fs::path base_image(Variant variant);
/// Whether the images were made (ctest makes them, see CMakeLists.txt).
[[nodiscard]] bool have_images();

/// The program in this process, as a shell would run it in the working directory.
CommandResult imprint(const std::vector<std::string>& arguments);
/// The program as it is installed, as a process.
[[nodiscard]] std::string binary();

// Partitions of the base images.
inline constexpr int kRootfsA = 2;
inline constexpr int kRootfsB = 3;
inline constexpr int kData = 4;

/// A folder as a user has it: base image, CA, manifest, devices. The working directory while it
/// lives, so that all names in messages are relative.
class BatchFolder {
 public:
  explicit BatchFolder(Variant variant = Variant::populated, int devices = 3);
  BatchFolder(const BatchFolder&) = delete;
  BatchFolder& operator=(const BatchFolder&) = delete;
  ~BatchFolder();

  [[nodiscard]] const fs::path& path() const noexcept { return dir_.path(); }

  /// Goes to manifest.json with save().
  Json manifest;
  void save() const;
  /// `unit-1` ... with serial and Wi-Fi passphrase.
  void write_devices(int count) const;

  void write(std::string_view name, std::string_view content) const { dir_.write(name, content); }

  /// A copy of the base image of its own, to be spoilt: `own.sdimg`, named by the manifest.
  fs::path own_image();

  [[nodiscard]] Variant variant() const noexcept { return variant_; }

 private:
  imprint::test::TempDir dir_;
  fs::path before_;
  Variant variant_;
};

/// A CSV file of imprint's without quoted fields: header name -> value, a row each.
[[nodiscard]] std::vector<std::map<std::string, std::string>> read_csv(const fs::path& path);

/// `sqlite3 DATABASE SQL`, its output without the last line end.
[[nodiscard]] std::string sql(const fs::path& database, const std::string& statement);

/// Names in a directory and below, sorted, with sizes and times of last change: equal when nothing
/// was written. `.` leaves the working directory's own entries.
[[nodiscard]] std::vector<std::string> listing(const fs::path& directory);

/// Temporary files that should not be there any more, anywhere below a directory.
[[nodiscard]] std::vector<std::string> leftovers(const fs::path& directory);

}  // namespace imprint::cli::test

#define IMPRINT_NEED_IMAGES()                                           \
  if (!::imprint::cli::test::have_images()) {                           \
    GTEST_SKIP() << "needs the images that 'scripts/make-image' makes"; \
  }                                                                     \
  static_assert(true, "")
