#include "disk_image.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/command.hpp"

namespace imprint::golden::test {
namespace {

namespace fs = std::filesystem;

using imprint::test::run_command;

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

struct Slot {
  std::uint64_t start_bytes;
  std::uint64_t size_bytes;
};

constexpr Slot kBoot{1 * kMiB, 1 * kMiB};
constexpr Slot kRootfsA{2 * kMiB, 8 * kMiB};
constexpr Slot kRootfsB{10 * kMiB, 8 * kMiB};
constexpr Slot kData{18 * kMiB, 8 * kMiB};
constexpr std::uint64_t kImageBytes = 26 * kMiB;

void put(const fs::path& path, std::string_view content, fs::perms mode) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  fs::permissions(path, mode);
}

void require(const imprint::test::CommandResult& result, std::string_view what) {
  if (result.status != 0) {
    throw std::runtime_error(fmt::format("{}: {}{}", what, result.out, result.err));
  }
}

void make_file_system(const fs::path& image, const Slot& slot, const fs::path& content,
                      const std::vector<std::string>& options, std::string_view label) {
  std::vector<std::string> command{
      "mke2fs",
      "-q",
      "-F",
      "-d",
      content.string(),
      "-E",
      fmt::format("offset={},root_owner=0:0,hash_seed=11111111-2222-3333-4444-555555555555",
                  slot.start_bytes),
      "-U",
      "66666666-7777-8888-9999-aaaaaaaaaaaa"};
  if (std::ranges::find(options, "-t") == options.end())
    command.insert(command.end(), {"-t", "ext4"});
  if (!label.empty()) command.insert(command.end(), {"-L", std::string(label)});
  command.insert(command.end(), options.begin(), options.end());
  command.insert(command.end(), {image.string(), fmt::format("{}k", slot.size_bytes / 1024)});
  require(run_command(command), "mke2fs");
}

std::string device(const fs::path& image, const image::Partition& partition) {
  return fmt::format("{}?offset={}", image.string(), partition.offset_bytes);
}

/// Old bytes in the first free blocks, which the allocator takes: what a reused medium looks like.
void fill_free_blocks(const fs::path& image, const Slot& slot) {
  image::Partition partition;
  partition.offset_bytes = slot.start_bytes;
  std::istringstream words(debugfs(image, partition, "ffb 200 1"));
  const std::string old_bytes(1024, '\xA5');
  std::fstream file(image, std::ios::binary | std::ios::in | std::ios::out);
  for (std::string word; words >> word;) {
    if (word.find_first_not_of("0123456789") != std::string::npos) continue;
    file.seekp(static_cast<std::streamoff>(slot.start_bytes + std::stoull(word) * 1024));
    file << old_bytes;
  }
}

}  // namespace

DiskImage::DiskImage(const DiskSpec& spec) : path_(dir_ / "base.sdimg") {
  std::ofstream(path_, std::ios::binary).close();
  fs::resize_file(path_, kImageBytes);
  std::string table = "label: dos\nlabel-id: 0x4d454e44\n";
  for (const auto& [slot, type] :
       {std::pair(kBoot, "c"), {kRootfsA, "83"}, {kRootfsB, "83"}, {kData, "83"}}) {
    table += fmt::format("start={}, size={}, type={}\n", slot.start_bytes / kSector,
                         slot.size_bytes / kSector, type);
  }
  require(run_command({"sfdisk", "-q", "--no-reread", "--no-tell-kernel", path_.string()}, table),
          "sfdisk");

  const fs::path rootfs = dir_ / "rootfs";
  put(rootfs / "etc/mender/mender.conf", "{\n  \"ServerURL\": \"https://old\"\n}\n",
      fs::perms::owner_read | fs::perms::owner_write);
  put(rootfs / "etc/hostname", "unnamed\n", fs::perms(0644));
  fs::create_directories(rootfs / "var/lib");
  fs::create_directories(rootfs / "data");
  fs::create_symlink("/data/mender", rootfs / "var/lib/mender");
  if (spec.prepare_rootfs) spec.prepare_rootfs(rootfs);
  make_file_system(path_, kRootfsA, rootfs, spec.rootfs_options, "");
  const fs::path empty = dir_ / "empty";
  fs::create_directories(empty);
  make_file_system(path_, kRootfsB, spec.populated_b ? rootfs : empty, spec.rootfs_options, "");

  const fs::path data = dir_ / "data";
  put(data / "mender/device_type", "device_type=test\n", fs::perms(0444));
  if (spec.prepare_data) spec.prepare_data(data);
  make_file_system(path_, kData, data, spec.data_options, "data");
  if (spec.dirty_free_blocks) fill_free_blocks(path_, kData);

  base_ = std::make_unique<image::FileImage>(image::FileImage::open(path_).value());
  layout_ = image::find_layout(*base_).value();
}

fs::path DiskImage::apply(const image::Patch& patch, const Overlay& overlay) const {
  const fs::path made = dir_ / "made.sdimg";
  fs::copy_file(path_, made, fs::copy_options::overwrite_existing);
  auto file = File::open_read_write(made).value();
  EXPECT_TRUE(patch.apply(file).has_value());
  EXPECT_TRUE(overlay.apply(file).has_value());
  return made;
}

bool has_disk_tools() {
  constexpr std::array<std::string_view, 4> kTools{"sfdisk", "mke2fs", "e2fsck", "debugfs"};
  return std::ranges::all_of(
      kTools, [](std::string_view tool) { return imprint::test::has_command(tool); });
}

std::string fsck_complaints(const fs::path& image, const image::Layout& layout) {
  std::string complaints;
  for (const image::Partition& partition : layout.partitions) {
    if (!partition.file_system.starts_with("ext")) continue;
    const auto result = run_command({"e2fsck", "-fn", device(image, partition)});
    if (result.status != 0) {
      complaints += fmt::format("partition {}: {}{}\n", partition.number, result.out, result.err);
    }
  }
  return complaints;
}

std::string debugfs(const fs::path& image, const image::Partition& partition,
                    const std::string& request) {
  return run_command({"debugfs", "-R", request, device(image, partition)}).out;
}

std::string content_of(const fs::path& image, const image::Partition& partition,
                       const std::string& path) {
  return debugfs(image, partition, "cat " + path);
}

std::string attributes_of(const fs::path& image, const image::Partition& partition,
                          const std::string& path) {
  std::istringstream words(debugfs(image, partition, "stat " + path));
  std::string mode;
  std::string user;
  std::string group;
  std::string size;
  for (std::string word; words >> word;) {
    if (word == "Mode:") words >> mode;
    if (word == "User:") words >> user;
    if (word == "Group:") words >> group;
    if (word == "Size:" && size.empty()) words >> size;
  }
  return mode.empty() ? "" : fmt::format("{} {}:{} {}", mode, user, group, size);
}

std::string whole(const fs::path& image) {
  // Much faster than through stream iterators, and these are megabytes.
  return std::string(text_of(read_file(image).value()));
}

std::string content(std::size_t bytes, unsigned seed) {
  std::string text;
  for (unsigned line = 0; text.size() < bytes; ++line)
    text += fmt::format("{}:{}\n", seed, line);
  text.resize(bytes);
  return text;
}

std::vector<DeviceFile> identity_files() {
  return {
      {.path = std::string(kKeyPath), .attributes = {.mode = 0600}, .nominal_bytes = 241},
      {.path = std::string(kCertificatePath), .attributes = {.mode = 0644}, .nominal_bytes = 900}};
}

std::vector<ByteView> views(const std::vector<std::string>& contents) {
  std::vector<ByteView> views;
  for (const std::string& text : contents)
    views.push_back(bytes_of(text));
  return views;
}

}  // namespace imprint::golden::test
