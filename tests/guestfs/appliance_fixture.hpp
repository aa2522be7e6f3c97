#pragma once

#include <array>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "guest_file_system.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/partition.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::guestfs {

using image::FileSystem;
using image::MemoryContent;
using image::NodeType;
using image::Partition;
using test::FailsWith;
using test::IsOk;

/// For a machine that has much else to do.
inline const ApplianceOptions kPatience{.timeout = std::chrono::seconds(300), .passphrase = {}};

inline constexpr std::string_view kPassphrase = "correct horse";
inline constexpr std::uint64_t kMebi = 1 << 20;

inline std::string run(const std::vector<std::string>& argv, std::string_view input = {}) {
  const test::CommandResult result = test::run_command(argv, input);
  EXPECT_EQ(result.status, 0) << argv.front() << ": " << result.out << result.err;
  return result.out;
}

inline bool contains(const fs::path& file, const std::string& bytes) {
  return test::run_command({"grep", "-qaF", "--", bytes, file.string()}).status == 0;
}

/// Files of the test, and the one appliance that has them all.
class GuestTest : public testing::Test {
 public:
  /// When the appliance has let go of all: nobody finds anything wrong.
  static void finish();

 protected:
  static constexpr std::size_t kClones = 4;

  /// In the order in which the appliance gets them.
  enum Index : std::size_t {
    first_clone = 0,
    xfs = kClones,
    f2fs,
    ext4,
    vfat,
    luks,
    lvm,
    lvm_clone,
    lvm_unclear,
    damaged,
    read_only,
    count
  };

  /// Called for each of the suites that share it.
  static void SetUpTestSuite() {
    if (files_ != nullptr || !missing_.empty()) return;
    for (const char* program : {"mkfs.btrfs", "mkfs.xfs", "mkfs.f2fs", "mkfs.ext4", "mkfs.vfat",
                                "cryptsetup", "sfdisk"}) {
      if (!test::has_command(program)) missing_ = program;
    }
    if (!missing_.empty()) return;
    if (const auto version = library_version(); !version) {
      missing_ = version.error().message();
      return;
    }
    files_ = new test::TempDir;
    make_files();
    start();
  }

  void SetUp() override {
    if (!missing_.empty()) GTEST_SKIP() << "none of this can be tried: needs " << missing_;
    ASSERT_NE(session_, nullptr) << "the appliance has not started";
  }

  static fs::path file_of(std::size_t drive) { return *files_ / fmt::format("{}.img", drive); }

  static void make(std::size_t drive, std::uint64_t size, std::vector<std::string> mkfs) {
    run({"truncate", "-s", std::to_string(size), file_of(drive).string()});
    if (mkfs.empty()) return;
    mkfs.push_back(file_of(drive).string());
    run(mkfs);
  }

  static void make_files() {
    make(xfs, 300 * kMebi, {"mkfs.xfs", "-q"});
    make(f2fs, 64 * kMebi, {"mkfs.f2fs", "-q"});
    make(ext4, 32 * kMebi, {"mkfs.ext4", "-q", "-b", "4096", "-I", "256"});
    make(vfat, 16 * kMebi, {"mkfs.vfat"});
    for (const std::size_t drive : {lvm, lvm_clone, lvm_unclear})
      make(drive, 64 * kMebi, {});
    make(damaged, 300 * kMebi, {"mkfs.xfs", "-q"});
    run({"dd", "if=/dev/urandom", "of=" + file_of(damaged).string(), "bs=1k", "seek=1",
         "count=4096", "conv=notrunc"});
    make(read_only, 32 * kMebi, {"mkfs.ext4", "-q"});
    make(luks, 64 * kMebi, {});
    run({"cryptsetup", "luksFormat", "--type", "luks2", "--pbkdf", "pbkdf2",
         "--pbkdf-force-iterations", "1000", "-q", file_of(luks).string(), "-"},
        kPassphrase);
    // A disk with a table, and clones of it, as a batch makes them.
    const fs::path data = *files_ / "data.btrfs";
    run({"truncate", "-s", std::to_string(128 * kMebi), data.string()});
    run({"mkfs.btrfs", "-q", "-L", "data", data.string()});
    make(first_clone, 160 * kMebi, {});
    run({"sfdisk", "-q", file_of(first_clone).string()},
        "label: dos\nstart=2048,size=16384\nstart=20480,size=262144\n");
    run({"dd", "if=" + data.string(), "of=" + file_of(first_clone).string(), "bs=1M", "seek=10",
         "conv=notrunc,sparse", "status=none"});
    for (std::size_t i = 1; i < kClones; ++i)
      run({"cp", file_of(first_clone).string(), file_of(i).string()});
  }

  static void start() {
    std::vector<Drive> drives;
    for (std::size_t i = 0; i < count; ++i)
      drives.push_back({file_of(i), i == read_only});
    const auto library = Library::load();
    ASSERT_THAT(library, IsOk());
    auto launched = launch(**library, drives, kPatience);
    ASSERT_THAT(launched, IsOk());
    make_volumes(*launched->handle);
    auto session = std::make_unique<Session>(std::move(*launched), drives, [] {
      ++questions_;
      return Result<crypto::SecretBytes>(crypto::SecretBytes(bytes_of(kPassphrase)));
    });
    ASSERT_THAT(session->detach_all(), IsOk());
    session_ = session.release();
  }

  /// Only a kernel can make logical volumes; while it comes up it still sees all drives.
  static void make_volumes(Handle& handle) {
    const auto made = handle.shell(fmt::format(
        R"(set -e
first=/dev/disk/guestfs/{0}; second=/dev/disk/guestfs/{1}; third=/dev/disk/guestfs/{2}
lvm vgcreate vg $first
lvm lvcreate -Wn -Zn -L 12M -n rootfs vg
lvm lvcreate -Wn -Zn -L 12M -n other vg
lvm lvcreate -Wn -Zn -L 12M -n state vg
udevadm settle
mkfs.ext4 -q /dev/vg/rootfs; mkfs.ext4 -q /dev/vg/other; mkfs.ext4 -q /dev/vg/state
mkdir /run/m; mount /dev/vg/state /run/m; mkdir /run/m/mender; echo device_type=x >/run/m/mender/device_type; umount /run/m
lvm vgchange -an vg
dd if=$first of=$second bs=1M
sync
lvm vgcreate unclear $third
lvm lvcreate -Wn -Zn -L 12M -n one unclear
lvm lvcreate -Wn -Zn -L 12M -n two unclear
udevadm settle
mkfs.ext4 -q /dev/unclear/one; mkfs.ext4 -q -L two /dev/unclear/two
lvm vgchange -an unclear
printf %s '{4}' | cryptsetup open --key-file=- /dev/disk/guestfs/{3} inner
mkfs.ext4 -q /dev/mapper/inner
cryptsetup close inner)",
        drive_label(lvm), drive_label(lvm_clone), drive_label(lvm_unclear), drive_label(luks),
        kPassphrase));
    ASSERT_THAT(made, IsOk());
  }

  static Partition whole(std::size_t drive) {
    return {.number = 1,
            .offset_bytes = 0,
            .size_bytes = fs::file_size(file_of(drive)),
            .file_system = {},
            .label = {}};
  }

  static Result<std::unique_ptr<FileSystem>> open(std::size_t drive, const Partition& partition) {
    auto mount = IMPRINT_TRY(session_->mount(drive, partition));
    return std::unique_ptr<FileSystem>(
        std::make_unique<GuestFileSystem>(*session_, partition, std::move(mount)));
  }

  static Result<std::unique_ptr<FileSystem>> open(std::size_t drive) {
    return open(drive, whole(drive));
  }

  static std::string read(FileSystem& file_system, std::string_view path) {
    const auto content = file_system.read_whole(path);
    EXPECT_THAT(content, IsOk()) << path;
    return content ? std::string(text_of(*content)) : std::string();
  }

  static inline std::string missing_;
  static inline test::TempDir* files_ = nullptr;
  static inline Session* session_ = nullptr;
  static inline int questions_ = 0;
};

/// A file of its own content, that nothing else on the disk looks like.
inline std::string secret(std::string_view of) {
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += fmt::format("-secret {} {:03}-", of, i);
  return text;
}

inline void GuestTest::finish() {
  if (session_ == nullptr) return;
  delete session_;
  session_ = nullptr;
  run({"xfs_repair", "-n", "-f", file_of(xfs).string()});
  run({"e2fsck", "-fn", file_of(ext4).string()});
  run({"fsck.f2fs", "--dry-run", file_of(f2fs).string()});
  run({"fsck.vfat", "-n", file_of(vfat).string()});
  for (std::size_t i = 0; i < kClones; ++i) {
    const fs::path part = *files_ / "part";
    run({"dd", "if=" + file_of(i).string(), "of=" + part.string(), "bs=1M", "skip=10", "count=128",
         "conv=sparse", "status=none"});
    run({"btrfs", "check", "--readonly", part.string()});
    fs::remove(part);
  }
  delete files_;
  files_ = nullptr;
}

}  // namespace imprint::guestfs
