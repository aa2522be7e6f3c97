#include <fmt/format.h>
#include <gtest/gtest.h>

#include "image/disk_image.hpp"
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

  [[nodiscard]] Result<Layout> layout() const {
    const auto image = IMPRINT_TRY(FileImage::open(image_));
    return find_layout(image);
  }

  /// "data=4 a=2+ b=3": `+` where populated, `-` for none.
  [[nodiscard]] std::string roles() const {
    const auto found = layout();
    if (!found) return found.error().message();
    const auto part = [](const std::optional<Partition>& partition, bool populated) {
      if (!partition) return std::string("-");
      return std::to_string(partition->number) + (populated ? "+" : "");
    };
    return fmt::format("data={} a={} b={}", found->data->number,
                       part(found->rootfs_a, found->rootfs_a_populated),
                       part(found->rootfs_b, found->rootfs_b_populated));
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
  EXPECT_EQ(roles(), "data=4 a=2+ b=3");
  EXPECT_EQ(layout()->data->label, "data");
  EXPECT_EQ(layout()->partitions.size(), 4U);
}

TEST_F(LayoutTest, FindsBothRootsOfAMenderConvertImageWithoutLabels) {
  make_table(4);
  put_vfat(1);
  put(2, rootfs_content());
  put(3, rootfs_content());
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=2+ b=3+");
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
  EXPECT_EQ(roles(), "data=4 a=2+ b=3");
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
  EXPECT_EQ(roles(), "data=5 a=2+ b=3");
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
  EXPECT_EQ(roles(), "data=2 a=- b=-");
}

TEST_F(LayoutTest, RootsWithoutEtcMenderAreTheFirstTwoBeforeData) {
  make_table(4);
  put_vfat(1);
  put(2, {{{"etc/hostname", "x"}}, {}});
  put(3, {});
  put(4, data_content());
  EXPECT_EQ(roles(), "data=4 a=2 b=3");
}

TEST_F(LayoutTest, SaysWhatWasFoundWhenThereIsNoDataPartition) {
  make_table(2);
  put_vfat(1);
  put(2, rootfs_content(), {"-L", "root"});
  EXPECT_THAT(layout(),
              FailsWith(Code::invalid_input,
                        "has no data partition: no ext file system holds /mender/device_type or is "
                        "labelled 'data'; found partition 1: vfat; partition 2: ext4 'root', holds "
                        "/etc/mender"));
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

TEST_F(LayoutTest, RefusesADataPartitionOfAnotherType) {
  IMPRINT_NEED_COMMAND("mkfs.vfat");
  make_table(2);
  put(1, rootfs_content());
  const auto made =
      test::run_command({"mkfs.vfat", "-n", "data", "--offset", std::to_string(offset_of(2) / 512),
                         image_.native(), "4096"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(layout(), FailsWith(Code::unsupported, "the data partition 2 of '"));
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

TEST_F(LayoutTest, ListsWhatCannotBeOpenedWhenNoDataPartitionIsFound) {
  make_table(2);
  put(1, rootfs_content());
  put(2, data_content(), {"-O", "metadata_csum"});
  poke(image_, offset_of(2) + 1024 + 16, "\x01\x02\x03");
  EXPECT_THAT(layout(), FailsWith(Code::invalid_input, "partition 2: ext4 that cannot be read ("));
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

}  // namespace
}  // namespace imprint::image
