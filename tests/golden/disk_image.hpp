#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/golden/golden.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"
#include "support/temp_dir.hpp"

namespace imprint::golden::test {

inline constexpr std::string_view kKeyPath = "/data/mender/mender-cert-private.pem";
inline constexpr std::string_view kCertificatePath = "/data/mender/mender-cert.pem";

struct DiskSpec {
  bool populated_b = true;
  std::vector<std::string> data_options = {"-b", "1024"};  ///< for mke2fs
  std::vector<std::string> rootfs_options = {"-b", "1024"};
  /// Adds to what the data partition and rootfs A (and a populated B) hold.
  std::function<void(const std::filesystem::path& directory)> prepare_data = {};
  std::function<void(const std::filesystem::path& directory)> prepare_rootfs = {};
  /// Fills the data partition's free blocks with old bytes.
  bool dirty_free_blocks = false;
};

/// A small disk image as Mender lays it out (boot, rootfs A, rootfs B, data), made with sfdisk and
/// mke2fs. The rootfs has /etc/mender/mender.conf (0600) and /var/lib/mender -> /data/mender.
class DiskImage {
 public:
  explicit DiskImage(const DiskSpec& spec = {});

  [[nodiscard]] const image::FileImage& base() const { return *base_; }

  [[nodiscard]] const image::Layout& layout() const { return layout_; }

  [[nodiscard]] image::Layout& layout() { return layout_; }

  /// The image that the patch, and then the overlay, make of the base: a file for others to judge.
  [[nodiscard]] std::filesystem::path apply(const image::Patch& patch,
                                            const Overlay& overlay = {}) const;

 private:
  imprint::test::TempDir dir_;
  std::filesystem::path path_;
  std::unique_ptr<image::FileImage> base_;
  image::Layout layout_;
};

/// Whether this machine has what DiskImage and the judges need.
[[nodiscard]] bool has_disk_tools();

/// What e2fsck -fn says about any ext partition of the image; empty when all are clean.
[[nodiscard]] std::string fsck_complaints(const std::filesystem::path& image,
                                          const image::Layout& layout);
/// debugfs -R.
[[nodiscard]] std::string debugfs(const std::filesystem::path& image,
                                  const image::Partition& partition, const std::string& request);
/// Content of a file by debugfs.
[[nodiscard]] std::string content_of(const std::filesystem::path& image,
                                     const image::Partition& partition, const std::string& path);
/// "0600 0:0 227" by debugfs: mode, owner, size. Empty when there is no such file.
[[nodiscard]] std::string attributes_of(const std::filesystem::path& image,
                                        const image::Partition& partition, const std::string& path);

/// All bytes of an image.
[[nodiscard]] std::string whole(const std::filesystem::path& image);

/// Text of this many bytes that looks like no other of another seed.
[[nodiscard]] std::string content(std::size_t bytes, unsigned seed);

/// Key (nominally 241 bytes) and certificate (900), as the batch writes them.
[[nodiscard]] std::vector<DeviceFile> identity_files();

[[nodiscard]] std::vector<ByteView> views(const std::vector<std::string>& contents);

}  // namespace imprint::golden::test

#define IMPRINT_NEED_DISK_TOOLS()                                         \
  if (!::imprint::golden::test::has_disk_tools()) {                       \
    GTEST_SKIP() << "needs sfdisk, mke2fs, e2fsck and debugfs installed"; \
  }                                                                       \
  static_assert(true, "")
