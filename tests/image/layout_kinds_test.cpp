// Images that are one bare file system, and file systems other than ext.

#include "image/layout_fixture.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;

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

}  // namespace
}  // namespace imprint::image
