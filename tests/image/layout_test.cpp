// Which partition is which, by what they hold.

#include "image/layout_fixture.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;
using test::IsOk;

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

}  // namespace
}  // namespace imprint::image
