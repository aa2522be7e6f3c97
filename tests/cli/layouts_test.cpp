// Disks as builders lay them out: identities into the right partition, or a reason and what to do.

#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "../image/disk_image.hpp"
#include "batch_fixture.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::kMiB;
using imprint::test::make_disk;
using imprint::test::make_ext4;
using imprint::test::poke;
using testing::HasSubstr;

constexpr std::uint64_t kRootBytes = 8 * kMiB;
constexpr std::string_view kConf = R"({"ServerURL": "https://example.com"})";
constexpr const char* kDataAdvice =
    "write to the data partition instead (paths under /data, mender_conf.target \"data\")";

/// A small disk `x` (no extension) in a folder with a CA.
class LayoutsTest : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_IMAGES();
    IMPRINT_NEED_IMAGE_ORACLE();
    IMPRINT_NEED_COMMAND("mke2fs");
    folder_.emplace(Variant::empty_b, 1);
  }

  /// boot, A, B, a place for hashes, data; nothing in them.
  void make_gpt() {
    make_disk("x", 64 * kMiB,
              "label: gpt\nstart=4MiB,size=4MiB,type=U\nstart=8MiB,size=8MiB\n"
              "start=16MiB,size=8MiB\nstart=24MiB,size=1MiB\nstart=32MiB,size=8MiB\n");
  }

  static void put_root(std::uint64_t offset, const std::vector<std::string>& options = {}) {
    make_ext4("x", offset, kRootBytes,
              {{{"etc/mender/mender.conf", std::string(kConf)}}, {"data", "var/lib"}}, options);
  }

  static void put_data(std::uint64_t offset, const std::vector<std::string>& options = {}) {
    make_ext4("x", offset, kRootBytes, {{{"mender/device_type", "device_type=x\n"}}, {}}, options);
  }

  void put_squashfs(std::uint64_t offset) {
    IMPRINT_NEED_COMMAND("mksquashfs");
    folder_->write("content", "x");
    fs::remove("root.squashfs");
    const auto made =
        run_command({"mksquashfs", "content", "root.squashfs", "-quiet", "-no-progress"});
    ASSERT_EQ(made.status, 0) << made.err;
    poke("x", offset, slurp("root.squashfs"));
  }

  void save(const std::string& target, const Json& layout = nullptr) {
    folder_->manifest = {{"version", 1},
                         {"image", "x"},
                         {"authority", "ca"},
                         {"mender_conf", {{"target", target}}},
                         {"devices", "devices.csv"}};
    if (!layout.is_null()) folder_->manifest["layout"] = layout;
    folder_->save();
  }

  static CommandResult inject(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"inject", "x", "--manifest", "manifest.json", "--id", "unit-1"});
    return imprint(more);
  }

  /// What e2fsck and debugfs say about the file system at this offset: empty, and a certificate.
  static void expect_identity(std::uint64_t offset, bool there = true) {
    const auto bytes = slurp("x").substr(offset, kRootBytes);
    std::ofstream("part", std::ios::binary) << bytes;
    const auto checked = run_command({"e2fsck", "-fn", "part"});
    EXPECT_EQ(checked.status, 0) << checked.out;
    const auto read = run_command({"debugfs", "-R", "cat /mender/mender-cert.pem", "part"});
    EXPECT_EQ(read.out.starts_with("-----BEGIN CERTIFICATE-----"), there) << read.out << read.err;
  }

  static CommandResult verify(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"verify", "x", "--ca", "ca/ca-cert.pem"});
    return imprint(more);
  }

  std::optional<BatchFolder> folder_;
};

TEST_F(LayoutsTest, SquashfsRootsLeaveTheDataPartitionToWriteTo) {
  make_gpt();
  put_squashfs(8 * kMiB);
  put_squashfs(16 * kMiB);
  put_data(32 * kMiB);
  const std::string before = slurp("x").substr(0, 32 * kMiB);
  save("data");
  const auto made = inject();
  ASSERT_EQ(made.status, 0) << made.err;
  expect_identity(32 * kMiB);
  EXPECT_TRUE(slurp("x").substr(0, 32 * kMiB) == before);
  const auto verified = verify();
  EXPECT_EQ(verified.status, 0) << verified.out;
  EXPECT_THAT(verified.out, HasSubstr("rootfs A (partition 2) is not looked into (partition 2 of "
                                      "'x' holds squashfs"));
}

TEST_F(LayoutsTest, SquashfsRootsAreNoTarget) {
  make_gpt();
  put_squashfs(8 * kMiB);
  put_data(32 * kMiB);
  save("rootfs");
  const auto refused = inject();
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr(fmt::format("partition 2 of 'x' holds squashfs, "
                                                 "which cannot be changed: {}\n",
                                                 kDataAdvice)));
  expect_identity(32 * kMiB, false);
}

TEST_F(LayoutsTest, ARootUnderDmVerityIsNotChanged) {
  IMPRINT_NEED_COMMAND("veritysetup");
  make_gpt();
  put_root(8 * kMiB);
  put_data(32 * kMiB);
  std::ofstream("part", std::ios::binary) << slurp("x").substr(8 * kMiB, kRootBytes);
  const auto formatted = run_command({"veritysetup", "format", "part", "tree"});
  ASSERT_EQ(formatted.status, 0) << formatted.err;
  poke("x", 24 * kMiB, slurp("tree"));

  save("rootfs");
  const auto refused = inject();
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err,
              HasSubstr(fmt::format("partition 2 of 'x' is protected by "
                                    "dm-verity (partition 4), so a device would not accept a "
                                    "change: {}\n",
                                    kDataAdvice)));
  save("data");
  const auto made = inject();
  ASSERT_EQ(made.status, 0) << made.err;
  expect_identity(32 * kMiB);
  EXPECT_EQ(verify().status, 0) << verify().out;
  // The device's own judge.
  std::ofstream("part", std::ios::binary) << slurp("x").substr(8 * kMiB, kRootBytes);
  std::ofstream("tree", std::ios::binary) << slurp("x").substr(24 * kMiB, kMiB);
  const std::string mark = "Root hash:";
  const std::size_t at = formatted.out.find(mark);
  ASSERT_NE(at, std::string::npos) << formatted.out;
  std::string hash = formatted.out.substr(at + mark.size());
  hash.erase(0, hash.find_first_not_of(" \t"));
  hash.erase(hash.find('\n'));
  const auto judged = run_command({"veritysetup", "verify", "part", "tree", hash});
  EXPECT_EQ(judged.status, 0) << judged.err;
}

TEST_F(LayoutsTest, ARootWithTheFeatureReadOnlyIsNotChanged) {
  make_gpt();
  put_root(8 * kMiB);
  put_data(32 * kMiB);
  const auto marked = run_command(
      {"debugfs", "-w", "-R", "feature read-only", fmt::format("x?offset={}", 8 * kMiB)});
  ASSERT_EQ(marked.status, 0) << marked.err;
  save("rootfs");
  const auto refused = inject();
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("partition 2 of 'x' has the ext4 feature 'read-only', so a "
                                     "device would not accept a change"));
  save("data");
  const auto made = inject();
  ASSERT_EQ(made.status, 0) << made.err;
  expect_identity(32 * kMiB);
  EXPECT_EQ(verify().status, 0) << verify().out;
}

TEST_F(LayoutsTest, AnEmptyAndAMissingBAreLeftAlone) {
  for (const bool formatted : {true, false}) {
    make_gpt();
    put_root(8 * kMiB);
    if (formatted) make_ext4("x", 16 * kMiB, kRootBytes);
    put_data(32 * kMiB);
    const std::string b = slurp("x").substr(16 * kMiB, kRootBytes);
    save("rootfs");
    const auto made = inject();
    ASSERT_EQ(made.status, 0) << made.err;
    expect_identity(32 * kMiB);
    EXPECT_TRUE(slurp("x").substr(16 * kMiB, kRootBytes) == b);
    EXPECT_EQ(verify().status, 0) << verify().out;
  }
}

TEST_F(LayoutsTest, ADiskWithLargeSectors) {
  IMPRINT_NEED_COMMAND("fdisk");
  folder_->write("x", "");
  fs::resize_file("x", 64 * kMiB);
  const auto made_disk =
      run_command({"fdisk", "-b", "4096", "x"}, "g\nn\n1\n\n+8M\nn\n2\n\n+8M\nn\n3\n\n+8M\nw\n");
  ASSERT_EQ(made_disk.status, 0) << made_disk.err;
  put_root(1 * kMiB);
  make_ext4("x", 9 * kMiB, kRootBytes);
  put_data(17 * kMiB);
  save("rootfs");
  const auto made = inject();
  ASSERT_EQ(made.status, 0) << made.err;
  expect_identity(17 * kMiB);
  EXPECT_EQ(verify().status, 0) << verify().out;
}

TEST_F(LayoutsTest, ABareDataPartition) {
  folder_->write("x", "");
  fs::resize_file("x", kRootBytes);
  put_data(0);
  save("data");
  const auto made = inject();
  ASSERT_EQ(made.status, 0) << made.err;
  expect_identity(0);
  EXPECT_EQ(verify().status, 0) << verify().out;
}

TEST_F(LayoutsTest, ABareRootfsHasNoPlaceForTheIdentity) {
  folder_->write("x", "");
  fs::resize_file("x", kRootBytes);
  put_root(0);
  save("rootfs");
  const auto refused = inject();
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.err,
            "imprint: error: 'x' has no data partition: it is one ext4 file system (rootfs A) "
            "without a partition table\n");
}

/// Two partitions behind the roots that may both be data.
class AmbiguousLayoutTest : public LayoutsTest {
 protected:
  void SetUp() override {
    LayoutsTest::SetUp();
    if (IsSkipped()) return;
    make_disk("x", 64 * kMiB,
              "label: gpt\nstart=8MiB,size=8MiB\nstart=16MiB,size=8MiB\nstart=32MiB,size=8MiB\n"
              "start=40MiB,size=8MiB\n");
    put_root(8 * kMiB);
    make_ext4("x", 16 * kMiB, kRootBytes);
    for (const std::uint64_t offset : {32U, 40U})
      make_ext4("x", offset * kMiB, kRootBytes, {{{"a/file", "x"}}, {}});
  }
};

TEST_F(AmbiguousLayoutTest, IsAnErrorThatTheManifestDecides) {
  save("data");
  const auto refused = inject();
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("'x' has more than one partition behind the roots that may be "
                                     "data; found partition 1: ext4, holds /etc/mender;"));
  save("data", {{"data", 4}});
  const auto made = inject();
  ASSERT_EQ(made.status, 0) << made.err;
  expect_identity(40 * kMiB);
  expect_identity(32 * kMiB, false);
}

TEST_F(AmbiguousLayoutTest, AFlagStandsAboveTheManifest) {
  save("data", {{"data", 4}});
  const auto made = inject({"--data-part", "3"});
  ASSERT_EQ(made.status, 0) << made.err;
  expect_identity(32 * kMiB);
  expect_identity(40 * kMiB, false);
  EXPECT_NE(verify().status, 0);
  EXPECT_EQ(verify({"--data-part", "3"}).status, 0) << verify({"--data-part", "3"}).out;
}

TEST_F(AmbiguousLayoutTest, ABatchTakesBothAsOverlaysToo) {
  save("data", {{"data", 4}});
  const auto made = imprint({"batch", "manifest.json", "--format", "overlay", "--data-part", "3"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto out = imprint({"materialize", "out/overlays.db", "--id", "unit-1", "--output", "y"});
  ASSERT_EQ(out.status, 0) << out.err;
  fs::remove("x");
  fs::rename("y", "x");
  expect_identity(32 * kMiB);
  expect_identity(40 * kMiB, false);
}

TEST_F(AmbiguousLayoutTest, AChoiceThatCannotBeIsRefused) {
  save("data", {{"data", 7}});
  const auto refused = inject();
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err,
              HasSubstr("'x' cannot have partition 7 as data ('data' of the manifest's "
                        "layout, --data-part): there is none of that number; found "
                        "partition 1: ext4"));
}

TEST_F(LayoutsTest, DataThatIsNotExtIsNamed) {
  IMPRINT_NEED_COMMAND("mkfs.vfat");
  make_gpt();
  put_root(8 * kMiB);
  const auto fat = run_command(
      {"mkfs.vfat", "-n", "DATA", "--offset", std::to_string(32 * kMiB / 512), "x", "8192"});
  ASSERT_EQ(fat.status, 0) << fat.err;
  save("data");
  const auto refused = inject();
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(
      refused.err,
      "imprint: error: data (partition 5): '/data/mender/mender-cert-private.pem': a device's "
      "own file cannot be placed on vfat; it needs ext2, ext3 or ext4\n");
}

}  // namespace
}  // namespace imprint::cli::test
