#include <fmt/format.h>
#include <gtest/gtest.h>

#include "image/disk_image.hpp"
#include "imprint/base/file.hpp"
#include "imprint/image/partition.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using test::ExtContent;
using test::FailsWith;
using test::IsOk;
using test::kMiB;
using test::make_disk;
using test::poke;
using test::TempDir;

constexpr std::uint64_t kPartitionBytes = 4 * kMiB;

[[nodiscard]] ExtContent data_content() {
  return {{{"mender/device_type", "device_type=x\n"}}, {}};
}

[[nodiscard]] ExtContent rootfs_content() {
  return {{{"etc/mender/mender.conf", "{}"}}, {"data", "usr"}};
}

class LayoutTest : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("sfdisk");
    IMPRINT_NEED_COMMAND("mke2fs");
  }

  /// 4 MiB partitions from 8 MiB on, one after the other: as many as asked for (GPT beyond four).
  void make_table(int count) {
    std::string script = count > 4 ? "label: gpt\n" : "label: dos\n";
    for (int i = 1; i <= count; ++i)
      script += fmt::format("start={}MiB,size=4MiB\n", 4 + 4 * i);
    make_disk(image_, 64 * kMiB, script);
  }

  [[nodiscard]] static std::uint64_t offset_of(int number) {
    return (4 + 4 * static_cast<std::uint64_t>(number)) * kMiB;
  }

  void put(int number, const ExtContent& content, const std::vector<std::string>& options = {}) {
    test::make_ext4(image_, offset_of(number), kPartitionBytes, content, options);
  }

  void put_vfat(int number) {
    IMPRINT_NEED_COMMAND("mkfs.vfat");
    const auto made =
        test::run_command({"mkfs.vfat", "--offset", std::to_string(offset_of(number) / 512),
                           image_.native(), "4096"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  void debugfs(int number, const std::string& request) {
    const auto done =
        test::run_command({"debugfs", "-w", "-R", request,
                           fmt::format("{}?offset={}", image_.native(), offset_of(number))});
    ASSERT_EQ(done.status, 0) << done.err;
  }

  /// mkfs's own file in place of the partition.
  void put_other(int number, const std::vector<std::string>& mkfs, std::uint64_t size_bytes = 0) {
    const fs::path file = dir_ / "other";
    (void)dir_.write("other", "");
    fs::resize_file(file, size_bytes);
    std::vector<std::string> command = mkfs;
    command.push_back(file.native());
    const auto made = test::run_command(command);
    ASSERT_EQ(made.status, 0) << made.err << made.out;
    poke(image_, offset_of(number), text_of(read_file(file).value()));
  }

  /// Squashfs of one small file.
  void put_squashfs(int number) {
    const fs::path file = dir_ / "root.squashfs";
    const fs::path content = dir_.write("content", "x");
    fs::remove(file);
    const auto made = test::run_command(
        {"mksquashfs", content.native(), file.native(), "-quiet", "-no-progress"});
    ASSERT_EQ(made.status, 0) << made.err;
    poke(image_, offset_of(number), text_of(read_file(file).value()));
  }

  /// What only the first bytes tell: a container of LUKS, version 1.
  void put_luks(int number) {
    poke(image_, offset_of(number), std::string_view("LUKS\xba\xbe\0\1", 8));
  }

  void make_bare() {
    (void)dir_.write("disk.sdimg", "");
    fs::resize_file(image_, kPartitionBytes);
  }

  [[nodiscard]] Result<Layout> layout(const LayoutChoice& choice = {}) const {
    const auto image = IMPRINT_TRY(FileImage::open(image_));
    return find_layout(image, choice);
  }

  /// "data=4 a=2+ b=3": `+` where populated, `-` for none; the boot partition where there is one.
  [[nodiscard]] std::string roles(const LayoutChoice& choice = {}) const {
    const auto found = layout(choice);
    if (!found) return found.error().message();
    const auto part = [](const std::optional<Partition>& partition, bool populated) {
      if (!partition) return std::string("-");
      return std::to_string(partition->number) + (populated ? "+" : "");
    };
    return fmt::format("data={} a={} b={}{}", part(found->data, false),
                       part(found->rootfs_a, found->rootfs_a_populated),
                       part(found->rootfs_b, found->rootfs_b_populated),
                       found->boot ? fmt::format(" boot={}", found->boot->number) : "");
  }

  TempDir dir_;
  fs::path image_ = dir_ / "disk.sdimg";
};

TEST_F(LayoutTest, FindsTheRolesOfAYoctoImageWithAnEmptyB) {
  make_table(4);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, {});
  put(4, data_content(), {"-L", "data"});
  EXPECT_EQ(roles(), "data=4 a=2+ b=3 boot=1");
  EXPECT_EQ(layout()->data->label, "data");
  EXPECT_EQ(layout()->partitions.size(), 4U);
}

TEST_F(LayoutTest, FindsBothRootsOfAMenderConvertImageWithoutLabels) {
  make_table(4);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, rootfs_content());
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=2+ b=3+ boot=1");
}

TEST_F(LayoutTest, GoesByContentAndNotByPosition) {
  make_table(4);
  put(1, data_content());
  put(2, {{{"var/lib/x", "an extra partition"}}, {}});
  put(3, rootfs_content());
  put(4, rootfs_content());
  EXPECT_EQ(roles(), "data=1 a=3+ b=4+");
}

TEST_F(LayoutTest, GoesByTheLabelWhenThereIsNoDeviceType) {
  make_table(4);
  put(1, {}, {"-L", "data"});
  put(2, rootfs_content());
  put(3, {});
  put(4, {}, {"-L", "extra"});
  EXPECT_EQ(roles(), "data=1 a=2+ b=3");
}

TEST_F(LayoutTest, GoesByPositionAtLast) {
  make_table(4);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, {});
  put(4, {});
  EXPECT_EQ(roles(), "data=4 a=2+ b=3 boot=1");
}

TEST_F(LayoutTest, HandlesExtrasAndSwapOnGpt) {
  make_table(7);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, {});
  // 4 would be swap: no file system of ours
  put(5, data_content(), {"-L", "data"});
  put(6, {});
  put(7, {{{"keep/this", "extra"}}, {}});
  EXPECT_EQ(roles(), "data=5 a=2+ b=3 boot=1");
  EXPECT_EQ(layout()->table, TableKind::gpt);
}

TEST_F(LayoutTest, AnEmptyPartitionBeforeThePopulatedRootIsA) {
  make_table(3);
  put(1, {});
  put(2, rootfs_content());
  put(3, data_content());
  EXPECT_EQ(roles(), "data=3 a=1 b=2+");
}

TEST_F(LayoutTest, NeedsNoRootForADataOnlyImage) {
  make_table(2);
  put_vfat(1);
  put(2, data_content());
  EXPECT_EQ(roles(), "data=2 a=- b=- boot=1");
}

TEST_F(LayoutTest, RootsWithoutEtcMenderAreTheFirstTwoBeforeData) {
  make_table(4);
  put_vfat(1);
  put(2, {{{"etc/hostname", "x"}}, {}});
  put(3, {});
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=2 b=3 boot=1");
}

TEST_F(LayoutTest, SaysWhatWasFoundWhenThereIsNoDataPartition) {
  make_table(2);
  put_vfat(1);
  put(2, rootfs_content(), {"-L", "root"});
  const auto found = layout();
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(roles(), "data=- a=2+ b=- boot=1");
  EXPECT_THAT(data_partition(*found, image_),
              FailsWith(Code::invalid_input,
                        "disk.sdimg' has no data partition: none holds /mender/device_type, is "
                        "labelled 'data' or lies behind the root file systems; found partition 1: "
                        "vfat (boot); partition 2: ext4 'root' (rootfs A); say which with "
                        "--data-part N, or 'layout' in the manifest"));
}

TEST_F(LayoutTest, RefusesTwoDataPartitions) {
  make_table(3);
  put(1, rootfs_content());
  put(2, data_content());
  put(3, data_content());
  EXPECT_THAT(layout(),
              FailsWith(Code::invalid_input, "more than one data partition (/mender/device_type)"));
}

TEST_F(LayoutTest, TheLabelDecidesBetweenTwoThatHoldADeviceType) {
  make_table(3);
  put(1, rootfs_content());
  put(2, data_content());
  put(3, data_content(), {"-L", "data"});
  EXPECT_EQ(layout()->data->number, 3);
}

TEST_F(LayoutTest, RefusesTwoPartitionsLabelledData) {
  make_table(3);
  put(1, rootfs_content());
  put(2, {}, {"-L", "data"});
  put(3, {}, {"-L", "data"});
  EXPECT_THAT(layout(),
              FailsWith(Code::invalid_input, "more than one data partition (label 'data')"));
}

TEST_F(LayoutTest, RefusesThreeRoots) {
  make_table(4);
  put(1, rootfs_content());
  put(2, rootfs_content());
  put(3, rootfs_content());
  put(4, data_content());
  EXPECT_THAT(layout(), FailsWith(Code::invalid_input, "more than two root file systems"));
}

TEST_F(LayoutTest, ADataPartitionOfAnotherKindIsFoundByItsLabel) {
  IMPRINT_NEED_COMMAND("mkfs.vfat");
  make_table(2);
  put(1, rootfs_content());
  const auto made =
      test::run_command({"mkfs.vfat", "-n", "data", "--offset", std::to_string(offset_of(2) / 512),
                         image_.native(), "4096"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(roles(), "data=2 a=1+ b=-");
  EXPECT_EQ(layout()->data->file_system, "vfat");
}

TEST_F(LayoutTest, ReportsWhyTheLabelledDataPartitionCannotBeOpened) {
  IMPRINT_NEED_COMMAND("debugfs");
  make_table(3);
  put(1, rootfs_content());
  put(2, data_content());  // would be taken, were the labelled one passed over
  put(3, data_content(), {"-L", "data", "-O", "has_journal"});
  debugfs(3, "feature needs_recovery");
  EXPECT_THAT(layout(), FailsWith(Code::corrupt, "partition 3 ('data') of '"));
}

TEST_F(LayoutTest, ReportsWhyARootCannotBeOpened) {
  IMPRINT_NEED_COMMAND("debugfs");
  make_table(3);
  put(1, rootfs_content(), {"-O", "has_journal"});
  put(2, rootfs_content());
  put(3, data_content());
  debugfs(1, "feature needs_recovery");
  EXPECT_THAT(layout(), FailsWith(Code::corrupt, "partition 1 of '"));
}

TEST_F(LayoutTest, ADamagedPartitionThatMayBeOursIsAnError) {
  make_table(2);
  put(1, rootfs_content());
  put(2, data_content(), {"-O", "metadata_csum"});
  poke(image_, offset_of(2) + 1024 + 16, "\x01\x02\x03");
  EXPECT_THAT(layout(), FailsWith(Code::corrupt, "partition 2 of '"));
}

TEST_F(LayoutTest, LeavesExtrasBehindTheDataPartitionAloneEvenWhenUnreadable) {
  IMPRINT_NEED_COMMAND("debugfs");
  make_table(4);
  put(1, rootfs_content());
  put(2, {});
  put(3, data_content());
  put(4, {}, {"-O", "has_journal"});
  debugfs(4, "feature needs_recovery");
  EXPECT_EQ(roles(), "data=3 a=1+ b=2");
}

TEST_F(LayoutTest, ReadsTheShapeOfMenderArtifactsOwnTestImages) {
  IMPRINT_NEED_COMMAND("mender-artifact");
  make_disk(image_, 768 << 10,
            "label: dos\nstart=1,size=255,type=83\nstart=256,size=512,type=83\n"
            "start=768,size=512,type=83\nstart=1280,size=256,type=83\n");
  const std::vector<std::string> small = {"-I", "128"};
  test::make_ext4(image_, 512, 127 << 10, {}, small);
  test::make_ext4(image_, 128 << 10, 256 << 10, {{{"etc/mender/mender.conf", "{}"}}, {}}, small);
  // B is all zeros.
  test::make_ext4(image_, 640 << 10, 128 << 10, {{{"mender/device_type", "device_type=x\n"}}, {}},
                  small);
  EXPECT_EQ(roles(), "data=4 a=2+ b=-");
  for (const char* path : {"/etc/mender/mender.conf", "/data/mender/device_type"}) {
    const auto read = test::run_command({"mender-artifact", "cat", image_.native() + ":" + path});
    EXPECT_EQ(read.status, 0) << path << read.err;
  }
}

TEST_F(LayoutTest, WithLogicalPartitionsDataIsFive) {
  make_disk(
      image_, 64 * kMiB,
      "label: dos\nstart=8MiB,size=4MiB,type=c\nstart=12MiB,size=4MiB\nstart=16MiB,size=4MiB\n"
      "start=20MiB,size=40MiB,type=5\nstart=24MiB,size=4MiB\nstart=32MiB,size=4MiB,type=82\n");
  put_vfat(1);
  put(2, rootfs_content());
  put(3, {});
  put(5, {{{"x", "data as the first boot leaves it"}}, {}});  // at 24 MiB, as offset_of() has it
  EXPECT_EQ(roles(), "data=5 a=2+ b=3 boot=1");
}

TEST_F(LayoutTest, AFileSystemSmallerThanItsPartition) {
  make_table(4);
  put_vfat(1);
  test::make_ext4(image_, offset_of(2), kPartitionBytes / 2, rootfs_content());
  test::make_ext4(image_, offset_of(3), kPartitionBytes / 2, rootfs_content());
  test::make_ext4(image_, offset_of(4), kPartitionBytes / 2, data_content());
  EXPECT_EQ(roles(), "data=4 a=2+ b=3+ boot=1");
}

TEST_F(LayoutTest, ABareRootfsIsRootfsA) {
  make_bare();
  test::make_ext4(image_, 0, kPartitionBytes, rootfs_content());
  EXPECT_EQ(roles(), "data=- a=1+ b=-");
  EXPECT_EQ(layout()->table, TableKind::none);
  EXPECT_THAT(data_partition(*layout(), image_),
              FailsWith(Code::invalid_input,
                        "disk.sdimg' has no data partition: it is one ext4 file system (rootfs A) "
                        "without a partition table"));
}

TEST_F(LayoutTest, ABareDataPartitionIsDataByContentOrLabel) {
  make_bare();
  test::make_ext4(image_, 0, kPartitionBytes, data_content());
  EXPECT_EQ(roles(), "data=1 a=- b=-");
  make_bare();
  test::make_ext4(image_, 0, kPartitionBytes, {}, {"-L", "data"});
  EXPECT_EQ(roles(), "data=1 a=- b=-");
}

TEST_F(LayoutTest, ABareFileSystemTakesTheRoleItIsGiven) {
  make_bare();
  test::make_ext4(image_, 0, kPartitionBytes, {});
  EXPECT_EQ(roles(), "data=- a=1 b=-");
  EXPECT_EQ(roles({.data = 1}), "data=1 a=- b=-");
}

TEST_F(LayoutTest, ABareFatIsBoot) {
  IMPRINT_NEED_COMMAND("mkfs.vfat");
  make_bare();
  ASSERT_EQ(test::run_command({"mkfs.vfat", image_.native()}).status, 0);
  EXPECT_EQ(roles(), "data=- a=- b=- boot=1");
}

TEST_F(LayoutTest, ABareSquashfsHasNoData) {
  IMPRINT_NEED_COMMAND("mksquashfs");
  const auto made = test::run_command({"mksquashfs", dir_.write("content", "x").native(),
                                       image_.native(), "-quiet", "-no-progress"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(roles(), "data=- a=1+ b=-");
  EXPECT_THAT(data_partition(*layout(), image_),
              FailsWith(Code::invalid_input, "it is one squashfs file system (rootfs A) without"));
}

TEST_F(LayoutTest, SquashfsRootsAreRootsByPosition) {
  IMPRINT_NEED_COMMAND("mksquashfs");
  make_table(4);
  put_vfat(1);
  put_squashfs(2);
  put_squashfs(3);
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=2+ b=3+ boot=1");
  put(4, {});
  EXPECT_EQ(roles(), "data=4 a=2+ b=3+ boot=1");
}

TEST_F(LayoutTest, ASquashfsRootMayHaveAnEmptyExtBesideIt) {
  IMPRINT_NEED_COMMAND("mksquashfs");
  make_table(4);
  put_vfat(1);
  put_squashfs(2);
  put(3, {});
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=2+ b=3 boot=1");
}

TEST_F(LayoutTest, DataBehindTheRootsIsFoundWhateverItsKind) {
  make_table(4);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, {});
  put_luks(4);
  EXPECT_EQ(roles(), "data=4 a=2+ b=3 boot=1");
  EXPECT_EQ(layout()->data->file_system, "crypto_LUKS");
  put_vfat(4);
  poke(image_, offset_of(4) + 43, "NO NAME    ");
  EXPECT_EQ(layout()->data->file_system, "vfat");
}

TEST_F(LayoutTest, DataOnF2fsBtrfsOrXfs) {
  struct Kind {
    std::string type;
    std::vector<std::string> mkfs;
    std::uint64_t size_bytes;
  };

  const std::vector<Kind> kinds = {
      {"btrfs", {"mkfs.btrfs", "-q", "-f", "-L", "data"}, 120 * kMiB},
      {"xfs", {"mkfs.xfs", "-q", "-f", "-L", "data"}, 320 * kMiB},
      {"f2fs", {"mkfs.f2fs", "-q", "-f", "-l", "data"}, 64 * kMiB},
  };
  int tried = 0;
  for (const Kind& kind : kinds) {
    if (!test::has_command(kind.mkfs.front())) continue;
    ++tried;
    const std::uint64_t offset = 16 * kMiB;
    make_disk(image_, offset + kind.size_bytes,
              "label: gpt\nstart=8MiB,size=4MiB\nstart=12MiB,size=4MiB\nstart=16MiB\n");
    put(1, rootfs_content());
    put(2, {});
    ASSERT_NO_FATAL_FAILURE(put_other(3, kind.mkfs, kind.size_bytes - kMiB));
    EXPECT_EQ(roles(), "data=3 a=1+ b=2") << kind.type;
    EXPECT_EQ(layout()->data->file_system, kind.type);
    EXPECT_EQ(layout()->data->label, "data") << kind.type;
  }
  if (tried == 0) GTEST_SKIP() << "mkfs.btrfs, mkfs.xfs and mkfs.f2fs are missing";
}

TEST_F(LayoutTest, TwoPartitionsBehindTheRootsAreAnErrorThatSaysHowToDecide) {
  make_table(5);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, {});
  put(4, {{{"x", "y"}}, {}});
  put(5, {{{"x", "y"}}, {}}, {"-L", "extra"});
  EXPECT_THAT(
      layout(),
      FailsWith(Code::invalid_input,
                "disk.sdimg' has more than one partition behind the roots that may be data; "
                "found partition 1: vfat; partition 2: ext4, holds /etc/mender; partition "
                "3: ext4, empty; partition 4: ext4; partition 5: ext4 'extra'; say which "
                "with --data-part N, or 'layout' in the manifest"));
  EXPECT_EQ(roles({.data = 4}), "data=4 a=2+ b=3 boot=1");
}

TEST_F(LayoutTest, AnUnformattedBStandsInItsPlace) {
  make_table(4);
  put_vfat(1);
  put(2, rootfs_content());
  // 3 is all zeros
  put(4, {});
  EXPECT_EQ(roles(), "data=4 a=2+ b=- boot=1");
}

TEST_F(LayoutTest, NoBAtAll) {
  make_table(3);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, data_content());
  EXPECT_EQ(roles(), "data=3 a=2+ b=- boot=1");
}

TEST_F(LayoutTest, BootIsTheOneTheFirmwareIsToldToUse) {
  make_disk(
      image_, 64 * kMiB,
      "label: gpt\nstart=8MiB,size=4MiB\nstart=12MiB,size=4MiB,type=U\nstart=16MiB,size=4MiB\n"
      "start=20MiB,size=4MiB\n");
  put_vfat(1);
  put_vfat(2);
  put(3, rootfs_content());
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=3+ b=- boot=2");
  EXPECT_EQ(roles({.boot = 1}), "data=4 a=3+ b=- boot=1");
}

TEST_F(LayoutTest, OfSeveralBootPartitionsWithoutAMarkTheFirstCounts) {
  make_table(4);
  put_vfat(1);
  put_vfat(2);
  put(3, rootfs_content());
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=3+ b=- boot=1");
}

TEST_F(LayoutTest, BootMayBeExtWithThatLabel) {
  make_table(4);
  put(1, {}, {"-L", "boot"});
  put(2, rootfs_content());
  put(3, {});
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=2+ b=3 boot=1");
}

TEST_F(LayoutTest, FatBehindTheRootsIsNoBoot) {
  make_table(4);
  put(1, rootfs_content());
  put(2, {});
  put(3, data_content());
  put_vfat(4);
  EXPECT_EQ(roles(), "data=3 a=1+ b=2");
}

TEST_F(LayoutTest, ARootBeyondUsKeepsItsPlace) {
  IMPRINT_NEED_COMMAND("debugfs");
  make_table(4);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, rootfs_content());
  put(4, data_content());
  debugfs(2, "feature FEATURE_I27");
  EXPECT_EQ(roles(), "data=4 a=2+ b=3+ boot=1");
}

TEST_F(LayoutTest, AChoiceStandsAboveAllSigns) {
  make_table(6);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, rootfs_content());
  put(4, data_content(), {"-L", "data"});
  put(5, {});
  put_vfat(6);
  EXPECT_EQ(roles(), "data=4 a=2+ b=3+ boot=1");
  EXPECT_EQ(roles({.data = 5}), "data=5 a=2+ b=3+ boot=1");
  EXPECT_EQ(roles({.boot = 6, .rootfs_a = 3, .rootfs_b = 2, .data = 5}), "data=5 a=3+ b=2+ boot=6");
  EXPECT_EQ(roles({.rootfs_a = 3}), "data=4 a=3+ b=2+ boot=1");
  EXPECT_EQ(roles({.rootfs_b = 2}), "data=4 a=3+ b=2+ boot=1");
  EXPECT_EQ(roles({.rootfs_a = 2, .rootfs_b = 5}), "data=4 a=2+ b=5 boot=1");
}

TEST_F(LayoutTest, AChoiceOfRootsDecidesBetweenThree) {
  make_table(4);
  for (const int number : {1, 2, 3})
    put(number, rootfs_content());
  put(4, data_content());
  EXPECT_THAT(layout(), FailsWith(Code::invalid_input,
                                  "say which with --rootfs-a-part N and --rootfs-b-part N"));
  EXPECT_THAT(layout({.rootfs_a = 1}),
              FailsWith(Code::invalid_input, "more than one other root file system"));
  EXPECT_EQ(roles({.rootfs_a = 2, .rootfs_b = 3}), "data=4 a=2+ b=3+");
}

TEST_F(LayoutTest, RefusesChoicesThatCannotBe) {
  IMPRINT_NEED_COMMAND("mkswap");
  IMPRINT_NEED_COMMAND("mksquashfs");
  IMPRINT_NEED_COMMAND("mkfs.vfat");
  make_disk(
      image_, 64 * kMiB,
      "label: dos\nstart=8MiB,size=4MiB,type=c\nstart=12MiB,size=4MiB\nstart=16MiB,size=4MiB\n"
      "start=20MiB,size=40MiB,type=5\nstart=24MiB,size=3MiB,type=82\nstart=28MiB,size=4MiB\n"
      "start=33MiB,size=4MiB\n");
  put_vfat(1);
  put(2, rootfs_content());
  put_squashfs(3);
  put_other(5, {"mkswap"}, 3 * kMiB);
  put(6, data_content());
  const std::string found =
      "; found partition 1: vfat; partition 2: ext4, holds /etc/mender; "
      "partition 3: squashfs; partition 5: swap; partition 6: ext4, holds "
      "/mender/device_type; partition 7: no file system";
  const auto refused = [&](const LayoutChoice& choice, const std::string& why) {
    EXPECT_THAT(layout(choice), FailsWith(Code::invalid_input, why + found));
  };
  const std::string data = "as data ('data' of the manifest's layout, --data-part): ";
  refused({.data = 9},
          "disk.sdimg' cannot have partition 9 " + data + "there is none of that number");
  refused({.data = 4}, data + "it is the extended partition, which holds others");
  refused({.data = 5}, data + "it holds swap, not ext, btrfs, xfs, f2fs, FAT, LVM or LUKS");
  refused({.data = 3}, data + "it holds squashfs, not ext, btrfs, xfs, f2fs, FAT, LVM or LUKS");
  refused({.data = 7}, data + "it holds no file system");
  refused({.boot = 3},
          "as boot ('boot' of the manifest's layout, --boot-part): it holds squashfs, "
          "not FAT or ext");
  refused({.rootfs_a = 1},
          "as rootfs A ('rootfs_a' of the manifest's layout, --rootfs-a-part): it "
          "holds vfat, not ext, btrfs, xfs, f2fs, squashfs or erofs");
  refused({.rootfs_a = 2, .rootfs_b = 2},
          "as rootfs B ('rootfs_b' of the manifest's layout, --rootfs-b-part): it is rootfs A "
          "already");
  EXPECT_EQ(roles(), "data=6 a=2+ b=- boot=1");
}

TEST_F(LayoutTest, AChoiceOfADamagedPartitionSaysWhatIsWrong) {
  IMPRINT_NEED_COMMAND("debugfs");
  make_table(3);
  put(1, rootfs_content());
  put(2, {});
  put(3, {}, {"-O", "has_journal"});
  debugfs(3, "feature needs_recovery");
  EXPECT_THAT(layout({.data = 3}), FailsWith(Code::corrupt, "the journal needs recovery"));
}

}  // namespace
}  // namespace imprint::image
