// Roles that somebody has to say, or that the table marks.

#include "image/layout_fixture.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;

TEST_F(LayoutTest, ABareFileSystemTakesTheRoleItIsGiven) {
  make_bare();
  test::make_ext4(image_, 0, kPartitionBytes, {});
  EXPECT_EQ(roles(), "data=- a=1 b=-");
  EXPECT_EQ(roles({.data = 1}), "data=1 a=- b=-");
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
