#include "image/partition_fixture.hpp"

namespace imprint::image {
namespace {

TEST_F(PartitionTableTest, ReadsFourPrimaries) {
  make_mbr(image_);
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->kind, TableKind::mbr);
  EXPECT_EQ(view(*table), test::sfdisk_view(image_));
  EXPECT_EQ(table->partitions.size(), 4U);
}

TEST_F(PartitionTableTest, ReadsLogicalPartitionsWithoutTheirContainer) {
  make_disk(image_, 96 * kMiB,
            "label: dos\nstart=8MiB,size=8MiB,type=c\nstart=16MiB,size=16MiB,type=83\n"
            "start=32MiB,size=16MiB,type=83\nstart=48MiB,size=48MiB,type=5\n"
            "start=49MiB,size=10MiB,type=82\nstart=60MiB,size=20MiB,type=83\nstart=81MiB,size=8MiB,"
            "type=83\n");
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(view(*table), test::sfdisk_view(image_));
  EXPECT_EQ(table->partitions.size(), 6U);
  EXPECT_EQ(table->partitions.back().number, 7);
}

TEST_F(PartitionTableTest, ReadsGptWithItsGapsInNumbering) {
  make_disk(image_, 64 * kMiB,
            "label: gpt\n1: start=8MiB,size=8MiB,type=U\n2: start=16MiB,size=8MiB\n3: "
            "start=24MiB,size=8MiB\n"
            "7: start=40MiB,size=16MiB\n");
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->kind, TableKind::gpt);
  EXPECT_EQ(view(*table), test::sfdisk_view(image_));
  EXPECT_EQ(table->partitions.back().number, 7);
}

TEST_F(PartitionTableTest, KnowsFileSystemsAndLabels) {
  IMPRINT_NEED_COMMAND("mke2fs");
  IMPRINT_NEED_COMMAND("mkfs.vfat");
  make_mbr(image_);
  const auto fat =
      test::run_command({"mkfs.vfat", "-n", "BOOT", "--offset", "16384", image_.native(), "8192"});
  ASSERT_EQ(fat.status, 0) << fat.err;
  make_ext4(image_, 16 * kMiB, 16 * kMiB);
  make_ext4(image_, 48 * kMiB, 16 * kMiB, {}, {"-L", "data"});
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(file_systems(*table), (std::vector{"vfat:BOOT"s, "ext4:"s, ":"s, "ext4:data"s}));
}

TEST_F(PartitionTableTest, AnExtFileSystemWithADamagedSuperblockDoesNotVanish) {
  IMPRINT_NEED_COMMAND("mke2fs");
  make_mbr(image_);
  make_ext4(image_, 48 * kMiB, 16 * kMiB, {}, {"-L", "data", "-O", "metadata_csum"});
  poke(image_, 48 * kMiB + 1024 + 16,
       "\x01\x02\x03");  // free inodes: the checksum does not match now
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(file_systems(*table).back(), "ext4:data");
}

TEST_F(PartitionTableTest, NamesZfs) {
  IMPRINT_NEED_COMMAND("blkid");
  make_disk(image_, 128 * kMiB, "label: dos\nstart=48MiB,size=72MiB,type=83\n");
  for (std::uint64_t block = 0; block < 8; ++block) {  // uberblocks in the first two labels
    for (const std::uint64_t label : {0 * kMiB, kMiB / 4}) {
      poke(image_, 48 * kMiB + label + kMiB / 8 + block * 1024, "\x0c\xb1\xba\0\0\0\0\0"s);
    }
  }
  const auto named = test::run_command(
      {"blkid", "-p", "-o", "value", "-s", "TYPE", "-O", "50331648", image_.native()});
  ASSERT_EQ(named.out, "zfs_member\n") << named.err;
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->partitions.back().file_system, "zfs_member");
}

TEST_F(PartitionTableTest, RemainsOfAnotherFileSystemDoNotHideExt) {
  IMPRINT_NEED_COMMAND("blkid");
  IMPRINT_NEED_COMMAND("mke2fs");
  make_mbr(image_);
  make_ext4(image_, 48 * kMiB, 16 * kMiB);
  // A squashfs superblock of version 4 in the first KiB, which ext leaves alone.
  poke(image_, 48 * kMiB, "hsqs");
  poke(image_, 48 * kMiB + 28, "\x04");
  const auto ambiguous = test::run_command({"blkid", "-p", "-O", "50331648", image_.native()});
  ASSERT_EQ(ambiguous.status, 8) << ambiguous.out;
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->partitions.back().file_system, "ext4");
}

TEST_F(PartitionTableTest, SaysHowMuchOfATruncatedImageIsMissing) {
  make_mbr(image_);
  fs::resize_file(image_, 50 * kMiB);
  EXPECT_THAT(
      read_table(image_),
      FailsWith(Code::invalid_input,
                "disk.sdimg' is truncated: it has 52428800 bytes, but partition 4 ends at byte "
                "67108864"));
}

TEST_F(PartitionTableTest, SaysHowMuchOfATruncatedGptImageIsMissing) {
  make_disk(image_, 64 * kMiB, "label: gpt\nstart=8MiB,size=8MiB\nstart=40MiB,size=16MiB\n");
  fs::resize_file(image_, 30 * kMiB);
  EXPECT_THAT(read_table(image_),
              FailsWith(Code::invalid_input,
                        "is truncated: it has 31457280 bytes, but its partition "
                        "table (GPT) ends at byte 67108864"));
}

TEST_F(PartitionTableTest, TruncatedInsideTheExtendedPartition) {
  make_disk(image_, 96 * kMiB,
            "label: dos\nstart=8MiB,size=8MiB,type=c\nstart=16MiB,size=80MiB,type=5\n"
            "start=17MiB,size=10MiB,type=83\nstart=60MiB,size=20MiB,type=83\n");
  fs::resize_file(image_, 40 * kMiB);
  EXPECT_THAT(read_table(image_),
              FailsWith(Code::invalid_input, "partition 2 ends at byte 100663296"));
}

TEST_F(PartitionTableTest, RefusesADamagedGpt) {
  make_disk(image_, 64 * kMiB, "label: gpt\nstart=8MiB,size=8MiB\n");
  poke(image_, 512 + 56, "0123456789");
  poke(image_, 64 * kMiB - 512, "nothing here");
  EXPECT_THAT(read_table(image_), FailsWith(Code::corrupt, "damaged partition table (GPT)"));
}

TEST_F(PartitionTableTest, ReadsAGptFromItsBackupHeader) {
  make_disk(image_, 64 * kMiB, "label: gpt\nstart=8MiB,size=8MiB\n");
  poke(image_, 512 + 56, "0123456789");
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->partitions.size(), 1U);
}

TEST_F(PartitionTableTest, RefusesOverlappingPartitions) {
  make_mbr(image_);
  // Entry 3 starts where entry 2 has not ended yet: 32 MiB - 1 sector.
  poke(image_, 446 + 2 * 16 + 8, "\xff\xff\x00\x00"s);
  EXPECT_THAT(read_table(image_), FailsWith(Code::invalid_input, "partitions 2 and 3 of '"));
}

TEST_F(PartitionTableTest, RefusesAPartitionThatStartsAtTheTable) {
  make_mbr(image_);
  poke(image_, 446 + 8, "\0\0\0\0"s);
  EXPECT_THAT(read_table(image_), FailsWith(Code::invalid_input, "entry 1 makes no sense"));
}

TEST_F(PartitionTableTest, RefusesBootFlagsThatAreNone) {
  make_mbr(image_);
  poke(image_, 446 + 16, "\x12");
  EXPECT_THAT(read_table(image_), FailsWith(Code::invalid_input, "entry 2 makes no sense"));
}

TEST_F(PartitionTableTest, RefusesATableWithoutPartitions) {
  make_disk(image_, 16 * kMiB, "label: dos\n");
  EXPECT_THAT(read_table(image_), FailsWith(Code::invalid_input, "has neither a partition table"));
  make_disk(image_, 16 * kMiB, "label: gpt\n");
  EXPECT_THAT(read_table(image_), FailsWith(Code::invalid_input, "has no partitions"));
}

TEST_F(PartitionTableTest, AFileSystemWithoutATableIsPartitionOne) {
  IMPRINT_NEED_COMMAND("mke2fs");
  (void)dir_.write("disk.sdimg", "");
  fs::resize_file(image_, 16 * kMiB);
  make_ext4(image_, 0, 16 * kMiB, {}, {"-L", "data"});
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->kind, TableKind::none);
  EXPECT_EQ(view(*table), (std::vector{fmt::format("1:0:{}", 16 * kMiB)}));
  EXPECT_EQ(file_systems(*table), (std::vector{"ext4:data"s}));
  // A boot loader's code in the first sector is no table.
  poke(image_, 446, std::string(64, '\x5a') + "\x55\xaa");
  EXPECT_EQ(read_table(image_)->kind, TableKind::none);
}

TEST_F(PartitionTableTest, AFatBootSectorThatLooksLikeAnMbrIsAFileSystem) {
  IMPRINT_NEED_COMMAND("mkfs.vfat");
  (void)dir_.write("disk.sdimg", "");
  fs::resize_file(image_, 16 * kMiB);
  ASSERT_EQ(test::run_command({"mkfs.vfat", image_.native()}).status, 0);
  // One entry that would pass: active, type 83, sectors 2048 to 4096.
  poke(image_, 446, "\x80\0\0\0\x83\0\0\0\0\x08\0\0\0\x08\0\0"s);
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->kind, TableKind::none);
  EXPECT_EQ(file_systems(*table), (std::vector{"vfat:"s}));
}

TEST_F(PartitionTableTest, TheNameMeansNothing) {
  make_mbr(image_);
  const auto expected = view(*read_table(image_));
  for (const char* name : {"a.img", "a.uefiimg", "a.gptimg", "a.biosimg", "a.wic", "a.dataimg",
                           "a.ext4", "a.sdimg.gz", "a", "a:b", ".img"}) {
    const fs::path renamed = dir_ / name;
    fs::rename(image_, renamed);
    const auto table = read_table(renamed);
    ASSERT_THAT(table, IsOk()) << name;
    EXPECT_EQ(view(*table), expected) << name;
    fs::rename(renamed, image_);
  }
}

TEST_F(PartitionTableTest, UnalignedPartitionsFromTheSecondSectorOn) {
  IMPRINT_NEED_COMMAND("mke2fs");
  // The shape of mender-artifact's own test images.
  make_disk(image_, 768 << 10,
            "label: dos\nstart=1,size=255,type=83\nstart=256,size=512,type=83\n"
            "start=768,size=512,type=83\nstart=1280,size=256,type=83\n");
  make_ext4(image_, 512, 127 << 10, {}, {"-I", "128", "-L", "one"});
  make_ext4(image_, 640 << 10, 128 << 10, {}, {"-I", "128", "-L", "four"});
  const auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(view(*table), test::sfdisk_view(image_));
  EXPECT_EQ(file_systems(*table), (std::vector{"ext4:one"s, ":"s, ":"s, "ext4:four"s}));
}

TEST_F(PartitionTableTest, KnowsTheFirmwaresPartition) {
  make_mbr(image_);
  auto table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_TRUE(table->partitions[0].boot_mark);
  EXPECT_FALSE(table->partitions[1].boot_mark);
  make_disk(image_, 64 * kMiB,
            "label: dos\nstart=8MiB,size=8MiB,type=83\nstart=16MiB,size=8MiB,type=ef\n");
  table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_FALSE(table->partitions[0].boot_mark);
  EXPECT_TRUE(table->partitions[1].boot_mark);
  make_disk(image_, 64 * kMiB, "label: gpt\nstart=8MiB,size=8MiB\nstart=16MiB,size=8MiB,type=U\n");
  table = read_table(image_);
  ASSERT_THAT(table, IsOk());
  EXPECT_FALSE(table->partitions[0].boot_mark);
  EXPECT_TRUE(table->partitions[1].boot_mark);
}

TEST_F(PartitionTableTest, RefusesWhatIsNoImage) {
  const auto refused = [&](std::string_view content) {
    return read_table(dir_.write("file.img", content));
  };
  EXPECT_THAT(refused(""), FailsWith(Code::invalid_input, "file.img' is empty"));
  EXPECT_THAT(refused("x"), FailsWith(Code::invalid_input, "has neither a partition table"));
  EXPECT_THAT(refused(std::string(1 << 20, '\0')),
              FailsWith(Code::invalid_input, "has neither a partition table"));
  EXPECT_THAT(refused("\x1f\x8b\x08..."),
              FailsWith(Code::invalid_input, "is gzip compressed; decompress it first"));
  EXPECT_THAT(refused("\xfd"
                      "7zXZ\0..."s),
              FailsWith(Code::invalid_input, "is xz compressed"));
  EXPECT_THAT(refused("BZh9..."), FailsWith(Code::invalid_input, "is bzip2 compressed"));
  EXPECT_THAT(refused("PK\x03\x04..."), FailsWith(Code::invalid_input, "is zip compressed"));
  EXPECT_THAT(refused("\x28\xb5\x2f\xfd..."), FailsWith(Code::invalid_input, "is zstd compressed"));
  EXPECT_THAT(refused("QFI\xfb..."), FailsWith(Code::invalid_input, "QCOW2"));
  EXPECT_THAT(refused(std::string(257, 'v') + "ustar\0"s),
              FailsWith(Code::invalid_input, "tar archive"));
}

TEST_F(PartitionTableTest, RefusesTablesThatMenderDoesNotUse) {
  make_disk(image_, 64 * kMiB, "label: sun\nstart=16065,size=16065\n");
  EXPECT_FALSE(read_table(image_).has_value());
  EXPECT_THAT(read_table(image_), FailsWith(Code::invalid_input, "has neither a partition table"));
}

}  // namespace
}  // namespace imprint::image
