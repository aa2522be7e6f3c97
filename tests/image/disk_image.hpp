#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace imprint::test {

inline constexpr std::uint64_t kMiB = 1U << 20;

/// A sparse file of this size, partitioned by sfdisk with this script. A test failure when sfdisk
/// says no.
void make_disk(const std::filesystem::path& image, std::uint64_t size_bytes,
               std::string_view sfdisk_script);

/// mke2fs into the image at this offset; files are (path, content), directories are made.
struct ExtContent {
  std::vector<std::pair<std::string, std::string>> files;
  std::vector<std::string> directories;
};

void make_ext4(const std::filesystem::path& image, std::uint64_t offset_bytes,
               std::uint64_t size_bytes, const ExtContent& content = {},
               const std::vector<std::string>& options = {});

/// Writes raw bytes into an existing file.
void poke(const std::filesystem::path& file, std::uint64_t offset_bytes, std::string_view bytes);

/// sfdisk -J's view: "number:start:size" in bytes for every partition, by number, containers left
/// out.
[[nodiscard]] std::vector<std::string> sfdisk_view(const std::filesystem::path& image);

}  // namespace imprint::test
