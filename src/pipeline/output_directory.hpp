#pragma once

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::pipeline {

/// The directory a batch writes to, ours alone while this object lives. Names of what is in it
/// (docs/output.md).
class OutputDirectory {
 public:
  /// Makes the directory if needed, takes its lock (Code::busy: another run is at work there) and
  /// removes the temporary files that a killed run left: they may hold private keys.
  static Result<OutputDirectory> open(const fs::path& directory);

  [[nodiscard]] const fs::path& path() const noexcept { return path_; }

  [[nodiscard]] fs::path ledger() const { return path_ / "ledger.db"; }

  [[nodiscard]] fs::path store() const { return path_ / "overlays.db"; }

  [[nodiscard]] fs::path report() const { return path_ / "report.json"; }

  [[nodiscard]] fs::path device_list() const { return path_ / "devices.csv"; }

  [[nodiscard]] fs::path failed_list() const { return path_ / "failed.csv"; }

  /// The golden image of this digest. Golden images of other digests are removed: no rerun would
  /// use them.
  [[nodiscard]] fs::path golden_image(std::string_view digest_hex) const;
  Result<> remove_other_golden_images(std::string_view digest_hex) const;

 private:
  OutputDirectory(fs::path path, DirectoryLock lock)
      : path_(std::move(path)),
        lock_(std::move(lock)) {}

  fs::path path_;
  DirectoryLock lock_;
};

/// File name of the golden image of a digest.
[[nodiscard]] std::string golden_image_name(std::string_view digest_hex);

/// Fails when the directory (or, where it does not exist yet, its nearest existing parent) cannot
/// be written to. Writes nothing.
[[nodiscard]] Result<> check_writable(const fs::path& directory);

}  // namespace imprint::pipeline
