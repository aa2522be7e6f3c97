#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/command.hpp"
#include "support/image_oracle.hpp"
#include "support/temp_dir.hpp"

namespace imprint::cli::test {

namespace fs = std::filesystem;

/// A folder with a small disk image of a Mender device, `x.sdimg`: boot (1, FAT), rootfs A (2) and
/// B (3) with the same content, data (4). The working directory while it lives.
///
/// A and B: /etc/mender/mender.conf (0600), /etc/hostname, /var/lib/mender -> /data/mender,
/// /etc/alias -> mender, /etc/loop -> loop, empty /data, /database, /boot/efi. Data:
/// /mender/device_type, /sub/dir/file.
class FilesFolder {
 public:
  FilesFolder();
  FilesFolder(const FilesFolder&) = delete;
  FilesFolder& operator=(const FilesFolder&) = delete;
  ~FilesFolder();

  [[nodiscard]] const fs::path& path() const noexcept { return dir_.path(); }

  void write(std::string_view name, std::string_view content) const { dir_.write(name, content); }

  /// Of x.sdimg as it is now.
  [[nodiscard]] imprint::test::ImageOracle oracle() const {
    return imprint::test::ImageOracle("x.sdimg");
  }

  /// What e2fsck and fsck.vfat have to say about any partition; empty when nothing.
  [[nodiscard]] std::string complaints() const;

 private:
  imprint::test::TempDir dir_;
  fs::path before_;
};

/// Whether this machine has what FilesFolder and the judges need.
[[nodiscard]] bool has_files_tools();

/// The program in this process, with this on standard input.
imprint::test::CommandResult imprint_with_input(const std::vector<std::string>& arguments,
                                                std::string_view input);

}  // namespace imprint::cli::test

#define IMPRINT_NEED_FILES_TOOLS()                                                    \
  if (!::imprint::cli::test::has_files_tools()) {                                     \
    GTEST_SKIP() << "needs sfdisk, mke2fs, mkfs.vfat, fsck.vfat, debugfs and e2fsck"; \
  }                                                                                   \
  static_assert(true, "")
