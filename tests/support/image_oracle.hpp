#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace imprint::test {

/// A disk image as other programs see it: partitions by sfdisk, files by debugfs, soundness by
/// e2fsck. Nothing of imprint is involved.
class ImageOracle {
 public:
  /// A test failure and no partitions when sfdisk finds no table.
  explicit ImageOracle(std::filesystem::path image);

  struct Partition {
    int number = 0;
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
  };

  [[nodiscard]] const std::vector<Partition>& partitions() const noexcept { return partitions_; }

  /// What `e2fsck -fn` says about a partition; empty when it has nothing to say.
  [[nodiscard]] std::string complaints(int partition) const;

  /// Content of a file; symbolic links are not followed.
  [[nodiscard]] std::string cat(int partition, std::string_view path) const;
  /// "0600 0:0", or empty when there is no such file.
  [[nodiscard]] std::string attributes(int partition, std::string_view path) const;
  [[nodiscard]] bool exists(int partition, std::string_view path) const;
  /// Everything below a directory: `path mode uid:gid`, sorted.
  [[nodiscard]] std::vector<std::string> owners(int partition, std::string_view directory) const;

  /// One request to debugfs, for all else.
  [[nodiscard]] std::string debugfs(int partition, const std::string& request) const;
  /// Requests that may change the image. debugfs exits 0 whatever happens: a test failure when it
  /// says anything to standard error beyond its banner.
  void change(int partition, const std::vector<std::string>& requests) const;

  /// How e2fsprogs name a file system inside an image: `image?offset=N`.
  [[nodiscard]] std::string device(int partition) const;

 private:
  std::filesystem::path image_;
  std::vector<Partition> partitions_;
};

/// Byte offsets at which two files of one size differ, as `cmp -l` finds them (from 0, ascending).
[[nodiscard]] std::vector<std::uint64_t> differing_bytes(const std::filesystem::path& a,
                                                         const std::filesystem::path& b);

/// SHA-256 by sha256sum, hex.
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path);

/// `openssl ARGS`, which has to succeed; its standard output.
std::string openssl(std::vector<std::string> arguments, std::string_view input = {});

}  // namespace imprint::test

/// Skips the test, visibly, when a program that looks into images is not installed.
#define IMPRINT_NEED_IMAGE_ORACLE() \
  IMPRINT_NEED_COMMAND("sfdisk");   \
  IMPRINT_NEED_COMMAND("debugfs");  \
  IMPRINT_NEED_COMMAND("e2fsck");   \
  IMPRINT_NEED_COMMAND("openssl")
