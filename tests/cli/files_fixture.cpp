#include "files_fixture.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "batch_fixture.hpp"
#include "image/disk_image.hpp"

namespace imprint::cli::test {

using imprint::test::has_command;
using imprint::test::ImageOracle;
using imprint::test::kMiB;
using imprint::test::TempDir;

namespace {

constexpr std::uint64_t kBoot = 1 * kMiB;
constexpr std::uint64_t kFirstRoot = 6 * kMiB;
constexpr std::uint64_t kSecondRoot = 14 * kMiB;
constexpr std::uint64_t kDataStart = 22 * kMiB;

/// Made once per process, copied for every folder.
const fs::path& base() {
  static const TempDir directory;
  static const fs::path image = [] {
    const fs::path path = directory / "x.sdimg";
    imprint::test::make_disk(path, 31 * kMiB,
                             "label: dos\nunit: sectors\n"
                             "start=1MiB, size=5MiB, type=c, bootable\n"
                             "start=6MiB, size=8MiB, type=83\n"
                             "start=14MiB, size=8MiB, type=83\n"
                             "start=22MiB, size=8MiB, type=83\n");
    const imprint::test::ExtContent root{
        .files = {{"etc/mender/mender.conf", "{\n  \"ServerURL\": \"https://example.com\"\n}\n"},
                  {"etc/hostname", "device\n"}},
        .directories = {"data", "database", "boot/efi", "var/lib"}};
    imprint::test::make_ext4(path, kFirstRoot, 8 * kMiB, root);
    imprint::test::make_ext4(path, kSecondRoot, 8 * kMiB, root);
    imprint::test::make_ext4(path, kDataStart, 8 * kMiB,
                             {.files = {{"mender/device_type", "device_type=test\n"},
                                        {"sub/dir/file", "a file on data\n"}},
                              .directories = {}},
                             {"-L", "data"});
    const auto made = run_command({"mkfs.vfat", "--invariant", "-n", "BOOT", "--offset",
                                   fmt::format("{}", kBoot / 512), path.native(), "5120"});
    EXPECT_EQ(made.status, 0) << made.err;
    const ImageOracle oracle(path);
    for (const int root_partition : {2, 3}) {
      oracle.change(root_partition,
                    {"symlink /var/lib/mender /data/mender", "symlink /etc/alias mender",
                     "symlink /etc/loop loop", "sif /etc/mender/mender.conf mode 0100600"});
    }
    return path;
  }();
  return image;
}

}  // namespace

FilesFolder::FilesFolder() : before_(fs::current_path()) {
  const auto copied =
      run_command({"cp", "--sparse=always", base().native(), (dir_.path() / "x.sdimg").native()});
  EXPECT_EQ(copied.status, 0) << copied.err;
  fs::current_path(dir_.path());
}

FilesFolder::~FilesFolder() {
  fs::current_path(before_);
}

std::string FilesFolder::complaints() const {
  const ImageOracle judge = oracle();
  std::string all;
  for (const int partition : {2, 3, 4})
    all += judge.complaints(partition);
  const auto& boot = judge.partitions().front();
  const auto cut = run_command({"dd", "if=x.sdimg", "of=boot.img", "bs=1M",
                                fmt::format("skip={}", boot.offset_bytes / kMiB),
                                fmt::format("count={}", boot.size_bytes / kMiB)});
  EXPECT_EQ(cut.status, 0) << cut.err;
  const auto checked = run_command({"fsck.vfat", "-n", "boot.img"});
  if (checked.status != 0) all += checked.out + checked.err;
  fs::remove("boot.img");
  return all;
}

bool has_files_tools() {
  for (const char* program : {"sfdisk", "mke2fs", "mkfs.vfat", "fsck.vfat", "debugfs", "e2fsck"}) {
    if (!has_command(program)) return false;
  }
  return true;
}

imprint::test::CommandResult imprint_with_input(const std::vector<std::string>& arguments,
                                                std::string_view input) {
  std::vector<std::string> argv{binary()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_command(argv, input);
}

}  // namespace imprint::cli::test
