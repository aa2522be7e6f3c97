// Everything that needs an appliance and nothing of the pipeline, with one launch. What was written
// is judged by the file systems' own checkers, and by the bytes of the image files.

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
namespace {

using image::FileSystem;
using image::MemoryContent;
using image::NodeType;
using image::Partition;
using test::FailsWith;
using test::IsOk;
using testing::ElementsAre;
using testing::HasSubstr;

/// For a machine that has much else to do.
const ApplianceOptions kPatience{.timeout = std::chrono::seconds(300), .passphrase = {}};

constexpr std::string_view kPassphrase = "correct horse";
constexpr std::uint64_t kMebi = 1 << 20;

std::string run(const std::vector<std::string>& argv, std::string_view input = {}) {
  const test::CommandResult result = test::run_command(argv, input);
  EXPECT_EQ(result.status, 0) << argv.front() << ": " << result.out << result.err;
  return result.out;
}

bool contains(const fs::path& file, const std::string& bytes) {
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
std::string secret(std::string_view of) {
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += fmt::format("-secret {} {:03}-", of, i);
  return text;
}

class EachKind : public GuestTest, public testing::WithParamInterface<int> {};

void edit(FileSystem& file_system, const std::string& old_key, const std::string& new_key) {
  EXPECT_THAT(file_system.make_directory("/mender", {.mode = 0751, .uid = 3, .gid = 4}), IsOk());
  const image::Attributes for_key{
      .mode = 0600, .uid = 0, .gid = 0, .modified = TimePoint(std::chrono::seconds(1700000000))};
  EXPECT_THAT(
      file_system.write_file("/mender/key 'quoted'.pem", MemoryContent(bytes_of(old_key)), for_key),
      IsOk());
  EXPECT_THAT(file_system.set_extended_attribute("/mender/key 'quoted'.pem", "security.selinux",
                                                 bytes_of("a_t")),
              IsOk());
  EXPECT_THAT(
      file_system.set_extended_attribute("/mender/key 'quoted'.pem", "user.gone", bytes_of("x")),
      IsOk());
  EXPECT_THAT(
      file_system.set_extended_attribute("/mender/key 'quoted'.pem", "user.gone", std::nullopt),
      IsOk());
  EXPECT_THAT(file_system.make_symlink("/mender/link", "key 'quoted'.pem", {.uid = 7, .gid = 8}),
              IsOk());
  EXPECT_THAT(file_system.write_file("/set-id", MemoryContent(bytes_of("x")),
                                     {.mode = 04755, .uid = 9, .gid = 9}),
              IsOk());
  EXPECT_THAT(file_system.write_file("/away", MemoryContent(bytes_of("x")), {}), IsOk());
  EXPECT_THAT(file_system.commit(), IsOk());
  EXPECT_THAT(file_system.make_directory("/late", {}),
              FailsWith(Code::internal, "has been committed"));
  (void)new_key;
}

void edit_again(FileSystem& file_system, const std::string& new_key) {
  EXPECT_THAT(file_system.write_file("/mender/key 'quoted'.pem", MemoryContent(bytes_of(new_key)),
                                     {.mode = 0640, .uid = 1, .gid = 2}),
              IsOk());
  EXPECT_THAT(file_system.remove("/away"), IsOk());
  EXPECT_THAT(file_system.change_attributes("/set-id", {.uid = 10}), IsOk());
  EXPECT_THAT(file_system.change_attributes(
                  "/mender/link", {.modified = TimePoint(std::chrono::seconds(1600000000))}),
              IsOk());
  // Found beforehand, so nothing is broken.
  EXPECT_THAT(file_system.make_directory("/mender", {}),
              FailsWith(Code::exists, "'/mender' exists already"));
  EXPECT_THAT(file_system.write_file("/mender", MemoryContent({}), {}),
              FailsWith(Code::exists, "'/mender' exists and is no regular file"));
  EXPECT_THAT(file_system.write_file("/none/x", MemoryContent({}), {}),
              FailsWith(Code::not_found, "'/none' does not exist"));
  EXPECT_THAT(file_system.make_directory("/set-id/x", {}),
              FailsWith(Code::not_found, "'/set-id' is not a directory"));
  EXPECT_THAT(file_system.remove("/mender"),
              FailsWith(Code::exists, "the directory '/mender' is not empty"));
  EXPECT_THAT(file_system.remove("/none"), FailsWith(Code::not_found, "'/none' does not exist"));
  EXPECT_THAT(file_system.read_whole("/mender/link"),
              FailsWith(Code::invalid_input, "is not a regular file"));
  EXPECT_THAT(file_system.commit(), IsOk());
}

void expect_edited(FileSystem& file_system, const std::string& new_key) {
  EXPECT_THAT(*file_system.list("/mender"), ElementsAre("key 'quoted'.pem", "link"));
  const auto directory = file_system.find("/mender");
  ASSERT_THAT(directory, IsOk());
  ASSERT_TRUE(*directory);
  EXPECT_EQ((*directory)->type, NodeType::directory);
  EXPECT_EQ((*directory)->mode, 0751U);
  EXPECT_EQ((*directory)->uid, 3U);
  EXPECT_EQ((*directory)->gid, 4U);
  const auto key = *file_system.find("/mender/key 'quoted'.pem");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->mode, 0640U);
  EXPECT_EQ(key->uid, 1U);
  EXPECT_EQ(key->gid, 2U);
  EXPECT_EQ(key->size_bytes, new_key.size());
  const auto attributes = file_system.extended_attributes("/mender/key 'quoted'.pem");
  ASSERT_THAT(attributes, IsOk());
  ASSERT_EQ(attributes->size(), 1U);
  EXPECT_EQ(attributes->front().name, "security.selinux");
  EXPECT_EQ(text_of(attributes->front().value), "a_t");
  EXPECT_EQ(*file_system.read_link("/mender/link"), "key 'quoted'.pem");
  const auto link = *file_system.find("/mender/link");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->type, NodeType::symlink);
  EXPECT_EQ(link->uid, 7U);
  EXPECT_EQ(link->modified, TimePoint(std::chrono::seconds(1600000000)));
  const auto set_id = *file_system.find("/set-id");
  ASSERT_TRUE(set_id);
  EXPECT_EQ(set_id->mode, 04755U);
  EXPECT_EQ(set_id->uid, 10U);
  EXPECT_FALSE(*file_system.find("/away"));
  EXPECT_FALSE(*file_system.find("/none/at/all"));
}

TEST_P(EachKind, KeepsEverythingThatWasWritten) {
  const auto drive = static_cast<std::size_t>(GetParam());
  const std::string old_key = secret("old");
  const std::string new_key = secret("new");
  auto file_system = open(drive);
  ASSERT_THAT(file_system, IsOk());
  edit(**file_system, old_key, new_key);
  file_system->reset();
  EXPECT_TRUE(contains(file_of(drive), old_key) || drive == luks)
      << "the oracle finds what is there";

  file_system = open(drive);
  ASSERT_THAT(file_system, IsOk());
  edit_again(**file_system, new_key);
  file_system = open(drive);
  ASSERT_THAT(file_system, IsOk());
  expect_edited(**file_system, new_key);
  EXPECT_EQ(read(**file_system, "/mender/key 'quoted'.pem"), new_key);
  EXPECT_FALSE(contains(file_of(drive), old_key)) << "a replaced key is still on the disk";
}

std::string kind_name(const testing::TestParamInfo<int>& kind) {
  constexpr std::array<std::string_view, 5> kNames{"xfs", "f2fs", "ext4", "vfat", "luks"};
  return std::string(kNames.at(static_cast<std::size_t>(kind.param) - 4));
}

INSTANTIATE_TEST_SUITE_P(Guest, EachKind, testing::Values(4, 5, 6, 8), kind_name);

TEST_F(GuestTest, ClonesOfOneDiskKeepTheirOwnBytes) {
  const auto image = image::FileImage::open(file_of(first_clone));
  ASSERT_THAT(image, IsOk());
  const auto table = image::read_partition_table(*image);
  ASSERT_THAT(table, IsOk());
  ASSERT_EQ(table->partitions.size(), 2U);
  const Partition data = table->partitions[1];
  // Forwards, then backwards: a file system that was seen before is older than what it is
  // mistaken for, or newer.
  for (std::size_t i = 0; i < kClones; ++i) {
    auto file_system = open(i, data);
    ASSERT_THAT(file_system, IsOk()) << i;
    EXPECT_THAT(*(*file_system)->list("/"), testing::IsEmpty()) << i;
    for (std::size_t extra = 0; extra <= i; ++extra)
      EXPECT_THAT((*file_system)->make_directory(fmt::format("/d{}", extra), {}), IsOk());
    EXPECT_THAT(
        (*file_system)
            ->write_file("/key", MemoryContent(bytes_of(secret(fmt::format("first {}", i)))), {}),
        IsOk());
    EXPECT_THAT((*file_system)->commit(), IsOk());
  }
  for (std::size_t i = kClones; i-- > 0;) {
    auto file_system = open(i, data);
    ASSERT_THAT(file_system, IsOk()) << i;
    EXPECT_EQ(read(**file_system, "/key"), secret(fmt::format("first {}", i)));
    EXPECT_EQ((*file_system)->list("/")->size(), i + 2);
    EXPECT_THAT(
        (*file_system)
            ->write_file("/key", MemoryContent(bytes_of(secret(fmt::format("second {}", i)))), {}),
        IsOk());
    EXPECT_THAT((*file_system)->commit(), IsOk());
  }
  for (std::size_t i = 0; i < kClones; ++i) {
    for (std::size_t other = 0; other < kClones; ++other) {
      EXPECT_EQ(contains(file_of(i), secret(fmt::format("second {}", other))), i == other)
          << i << other;
      EXPECT_FALSE(contains(file_of(i), secret(fmt::format("first {}", other)))) << i << other;
    }
  }
}

TEST_F(GuestTest, LooksAtOneImageAtATime) {
  auto file_system = open(ext4);
  ASSERT_THAT(file_system, IsOk());
  EXPECT_THAT(open(f2fs), FailsWith(Code::busy, "one image at a time"));
  file_system->reset();
  EXPECT_THAT(open(f2fs), IsOk());
}

TEST_F(GuestTest, FindsTheLogicalVolumeWithTheDeviceType) {
  for (const std::size_t drive : {lvm, lvm_clone}) {
    auto file_system = open(drive);
    ASSERT_THAT(file_system, IsOk());
    EXPECT_EQ(read(**file_system, "/mender/device_type"), "device_type=x\n");
    EXPECT_THAT((*file_system)
                    ->write_file("/mender/key",
                                 MemoryContent(bytes_of(secret(fmt::format("lvm {}", drive)))), {}),
                IsOk());
    EXPECT_THAT((*file_system)->commit(), IsOk());
  }
  for (const std::size_t drive : {lvm, lvm_clone}) {
    EXPECT_EQ(contains(file_of(lvm), secret(fmt::format("lvm {}", drive))), drive == lvm);
    EXPECT_EQ(contains(file_of(lvm_clone), secret(fmt::format("lvm {}", drive))),
              drive == lvm_clone);
  }
}

TEST_F(GuestTest, ListsLogicalVolumesThatItCannotTellApart) {
  EXPECT_THAT(open(lvm_unclear), FailsWith(Code::invalid_input,
                                           "which logical volume of group 'unclear' holds the data "
                                           "cannot be told: /dev/unclear/one, "
                                           "/dev/unclear/two (label 'two'); label one of them "
                                           "'data', or put /mender/device_type into it"));
}

TEST_F(GuestTest, AsksForThePassphraseOnce) {
  EXPECT_THAT(open(luks), IsOk());
  EXPECT_THAT(open(luks), IsOk());
  EXPECT_EQ(questions_, 1);
}

TEST_F(GuestTest, WritesToFat) {
  auto file_system = open(vfat);
  ASSERT_THAT(file_system, IsOk());
  EXPECT_FALSE((*file_system)->has_owners());
  EXPECT_THAT((*file_system)
                  ->write_file("/config.txt", MemoryContent(bytes_of("arm_64bit=1\n")),
                               {.mode = 0600, .uid = 5}),
              IsOk());
  EXPECT_THAT((*file_system)->make_symlink("/link", "config.txt", {}),
              FailsWith(Code::unsupported, "has no symbolic links"));
  EXPECT_THAT((*file_system)->commit(), IsOk());
  IMPRINT_NEED_COMMAND("mtype");
  EXPECT_EQ(run({"mtype", "-i", file_of(vfat).string(), "::config.txt"}), "arm_64bit=1\n");
}

TEST_F(GuestTest, RefusesWhatDoesNotFit) {
  auto file_system = open(ext4);
  ASSERT_THAT(file_system, IsOk());
  const Bytes large(40 * kMebi, std::byte{1});
  EXPECT_THAT((*file_system)->write_file("/large", MemoryContent(large), {}),
              FailsWith(Code::image_full, "KiB free, and 41024 are needed"));
  EXPECT_FALSE(*(*file_system)->find("/large"));
}

TEST_F(GuestTest, KeepsHolesAndLargeFiles) {
  const fs::path sparse = files_->write("sparse", "begin");
  run({"truncate", "-s", "200M", sparse.string()});
  std::ofstream(sparse, std::ios::in | std::ios::out | std::ios::ate)
      << std::string(5 * kMebi, 'x');
  const auto file = File::open_read(sparse);
  ASSERT_THAT(file, IsOk());
  const auto content = image::FileContent::of(*file);
  ASSERT_THAT(content, IsOk());
  auto file_system = open(xfs);
  ASSERT_THAT(file_system, IsOk());
  ASSERT_THAT((*file_system)->write_file("/sparse", *content, {}), IsOk());
  ASSERT_THAT((*file_system)->commit(), IsOk());
  file_system = open(xfs);
  ASSERT_THAT(file_system, IsOk());
  auto copy = File::create_new(*files_ / "copy", 0600);
  ASSERT_THAT(copy, IsOk());
  ASSERT_THAT(copy->resize(content->size_bytes()), IsOk());
  EXPECT_THAT((*file_system)
                  ->read("/sparse", [&](std::uint64_t offset,
                                        ByteView bytes) { return copy->write_all(offset, bytes); }),
              IsOk());
  run({"cmp", sparse.string(), copy->path().string()});
  EXPECT_LT(std::stoul(run({"stat", "-c", "%b", copy->path().string()})), 6 * kMebi / 512);
}

TEST_F(GuestTest, ChangesNothingOfAReadOnlyImage) {
  const std::string before = run({"sha256sum", file_of(read_only).string()});
  auto file_system = open(read_only);
  ASSERT_THAT(file_system, IsOk());
  EXPECT_THAT(*(*file_system)->list("/"), ElementsAre("lost+found"));
  EXPECT_THAT((*file_system)->make_directory("/x", {}),
              FailsWith(Code::internal, "opened for reading only"));
  EXPECT_THAT((*file_system)->commit(), IsOk());
  file_system->reset();
  EXPECT_EQ(run({"sha256sum", file_of(read_only).string()}), before);
}

TEST_F(GuestTest, SaysWhatItCannotMount) {
  EXPECT_THAT(open(damaged),
              FailsWith(Code::unsupported, "the appliance cannot mount the xfs file system: "));
  Partition crooked = whole(ext4);
  crooked.offset_bytes = 100;
  EXPECT_THAT(open(ext4, crooked), FailsWith(Code::unsupported, "does not begin at a sector"));
}

void GuestTest::finish() {
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

class Finish : public testing::Environment {
 public:
  void TearDown() override { GuestTest::finish(); }
};

[[maybe_unused]] const testing::Environment* const kFinish =
    testing::AddGlobalTestEnvironment(new Finish);

}  // namespace
}  // namespace imprint::guestfs
