// Which file systems are refused, and what the refusal says.

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "imprint/image/volume.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailsWith;
using imprint::test::has_command;
using imprint::test::IsOk;
using imprint::test::run_command;
using test::edit_time;
using test::ExtImage;
using test::ExtShape;

class Admission : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_command("mke2fs") || !has_command("debugfs")) GTEST_SKIP() << "needs e2fsprogs";
  }

  static Result<Volume> open_read(const ExtImage& ext) {
    return Volume::open_read(ext.image(), ext.partition());
  }
};

const ExtShape& plain() {
  static const ExtShape shape{.name = "plain", .options = {"-t", "ext4", "-b", "1024"}};
  return shape;
}

/// A feature that is read but not edited, and how an image comes by it.
struct Foreign {
  std::string name;
  std::vector<std::string> options;
  std::vector<std::string> commands = {};  // for debugfs
};

void PrintTo(const Foreign& foreign, std::ostream* out) {
  *out << foreign.name;
}

class ForeignFeature : public ::testing::TestWithParam<Foreign> {};

TEST_P(ForeignFeature, IsReadButNotEdited) {
  IMPRINT_NEED_COMMAND("mke2fs");
  IMPRINT_NEED_COMMAND("debugfs");
  ExtImage ext({.name = GetParam().name, .options = GetParam().options});
  const std::string source = ext.dir().write("source", "content").string();
  ext.prepare({"mkdir etc", "write " + source + " etc/hostname"});
  if (!GetParam().commands.empty()) ext.prepare(GetParam().commands);
  Canvas canvas(ext.image());
  const auto edit = Volume::open_edit(canvas, ext.partition(), edit_time());
  EXPECT_THAT(edit, FailsWith(Code::unsupported,
                              "the file system uses '" + GetParam().name +
                                  "', which this version can read but not edit; make it without"));
  EXPECT_THAT(
      edit, FailsWith(Code::unsupported, "partition 4 ('data') of '" + ext.path().string() + "'"));

  const auto volume = Volume::open_read(ext.image(), ext.partition());
  ASSERT_THAT(volume, IsOk());
  const auto etc = volume->lookup(kRootInode, "etc");
  ASSERT_THAT(etc, IsOk());
  const auto names = volume->list(**etc);
  ASSERT_THAT(names, IsOk());
  EXPECT_EQ(*names, std::vector<std::string>{"hostname"});
  EXPECT_THAT(volume->read_file(**volume->lookup(**etc, "hostname")), IsOk());
}

INSTANTIATE_TEST_SUITE_P(
    Features, ForeignFeature,
    ::testing::Values(Foreign{"quota", {"-t", "ext4", "-O", "quota"}},
                      Foreign{"shared_blocks", {"-t", "ext4"}, {"feature shared_blocks"}},
                      Foreign{"read-only", {"-t", "ext4"}, {"feature read-only"}},
                      Foreign{"FEATURE_R30", {"-t", "ext4"}, {"feature FEATURE_R30"}},
                      Foreign{"FEATURE_C30", {"-t", "ext4"}, {"feature FEATURE_C30"}}),
    [](const auto& foreign) {
      std::string name = foreign.param.name;
      std::ranges::replace(name, '-', '_');
      return name;
    });

/// A debugfs request on the image as it is.
std::string debugfs(const ExtImage& ext, const std::string& request) {
  return run_command({"debugfs", "-R", request, ext.path().string()}).out;
}

TEST_F(Admission, WhatIsEncryptedIsRefusedByPathAndTheRestIsEdited) {
  ExtImage ext({.name = "encrypt", .options = {"-t", "ext4", "-O", "encrypt"}});
  // 0x800 marks what is encrypted; 0x80000 are the extents.
  const std::string source = ext.dir().write("source", "content").string();
  ext.prepare({"mkdir home", "write " + source + " secret", "set_inode_field home flags 0x80800",
               "set_inode_field secret flags 0x80800"});
  Canvas canvas(ext.image());
  auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
  ASSERT_THAT(volume, IsOk());
  const auto home = volume->lookup(kRootInode, "home");
  ASSERT_THAT(home, IsOk());
  EXPECT_THAT(volume->list(**home), FailsWith(Code::unsupported, "is encrypted"));
  EXPECT_THAT(volume->lookup(**home, "x"), FailsWith(Code::unsupported, "is encrypted"));
  EXPECT_THAT(volume->write_file(**home, "x", bytes_of("x"), {}),
              FailsWith(Code::unsupported, "is encrypted"));
  const auto secret = volume->lookup(kRootInode, "secret");
  ASSERT_THAT(secret, IsOk());
  EXPECT_THAT(volume->read_file(**secret),
              FailsWith(Code::unsupported, "is encrypted; it can be read on the device only"));
  EXPECT_THAT(volume->write_file(kRootInode, "plain", bytes_of("x"), {}), IsOk());
  EXPECT_THAT(volume->commit(), IsOk());
}

TEST_F(Admission, ADirectoryThatIgnoresCaseIsReadInAnySpellingAndNotEdited) {
  ExtImage ext({.name = "casefold", .options = {"-t", "ext4", "-O", "casefold"}});
  // 0x40000000 says so; the extents are 0x80000.
  ext.prepare(
      {"mkdir fold", "set_inode_field fold flags 0x40080000", "write /dev/null fold/ReadMe"});
  Canvas canvas(ext.image());
  auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
  ASSERT_THAT(volume, IsOk());
  const auto fold = volume->lookup(kRootInode, "fold");
  ASSERT_THAT(fold, IsOk());
  const auto exact = volume->lookup(**fold, "ReadMe");
  ASSERT_THAT(exact, IsOk());
  ASSERT_TRUE(exact->has_value());
  const auto other = volume->lookup(**fold, "README");
  ASSERT_THAT(other, IsOk());
  EXPECT_EQ(*other, *exact);
  const auto none = volume->lookup(**fold, "README2");
  ASSERT_THAT(none, IsOk());
  EXPECT_FALSE(none->has_value());
  const auto elsewhere = volume->lookup(kRootInode, "FOLD");
  ASSERT_THAT(elsewhere, IsOk());
  EXPECT_FALSE(elsewhere->has_value()) << "the root directory knows its letters";
  EXPECT_THAT(volume->write_file(**fold, "x", bytes_of("x"), {}),
              FailsWith(Code::unsupported, "ignores case ('casefold')"));
  EXPECT_THAT(volume->remove(**fold, "ReadMe"),
              FailsWith(Code::unsupported, "ignores case ('casefold')"));
  EXPECT_THAT(volume->make_symlink(kRootInode, "x", "fold", {}), IsOk());
  EXPECT_THAT(volume->commit(), IsOk());
}

TEST_F(Admission, AFileSystemThatAnotherMachineHoldsIsRefused) {
  ExtImage ext({.name = "mmp", .options = {"-t", "ext4", "-b", "1024", "-O", "mmp"}});
  EXPECT_THAT(open_read(ext), IsOk());
  const std::string stats = debugfs(ext, "stats");
  const std::size_t at = stats.find("MMP block number:");
  ASSERT_NE(at, std::string::npos) << stats;
  const std::uint64_t block = std::stoull(stats.substr(at + 17));
  ext.damage(block * 1024 + 4);  // the sequence number
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt,
                                        "multiple mount protection says that the "
                                        "file system is in use"));
  Canvas canvas(ext.image());
  EXPECT_THAT(Volume::open_edit(canvas, ext.partition(), edit_time()),
              FailsWith(Code::corrupt, "the file system is in use"));
  ext.damage(block * 1024);
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "holds something else"));
}

TEST_F(Admission, AFeatureThatNobodyKnowsIsRefusedByItsNumber) {
  ExtImage ext(plain());
  ext.prepare({"feature FEATURE_I31"});
  EXPECT_THAT(open_read(ext), FailsWith(Code::unsupported, "'FEATURE_I31'"));
}

TEST_F(Admission, RefusesAJournalThatNeedsRecovery) {
  ExtImage ext(plain());
  ext.prepare({"feature needs_recovery"});
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "the journal needs recovery"));
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "repair it with 'e2fsck -f'"));
}

TEST_F(Admission, RefusesAFileSystemMarkedWithErrors) {
  ExtImage ext(plain());
  ext.prepare({"set_super_value state 3"});
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "marked with errors"));
}

TEST_F(Admission, RefusesAFileSystemThatWasNotUnmounted) {
  ExtImage ext(plain());
  ext.prepare({"set_super_value state 0"});
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "was not cleanly unmounted"));
}

TEST_F(Admission, RefusesOrphansThatWaitForCleanUp) {
  ExtImage ext(plain());
  ext.prepare({"set_super_value last_orphan 12"});
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "deleted while open"));
  ExtImage with_file({.name = "orphans", .options = {"-t", "ext4", "-O", "orphan_file"}});
  with_file.prepare({"feature orphan_present"});
  EXPECT_THAT(open_read(with_file), FailsWith(Code::corrupt, "deleted while open"));
}

TEST_F(Admission, RefusesAJournalOnAnotherDevice) {
  ExtImage ext(plain());
  ext.prepare({"set_super_value journal_inum 0"});
  EXPECT_THAT(open_read(ext), FailsWith(Code::unsupported, "the journal is on another device"));
  ExtImage journal({.name = "journal", .options = {"-O", "journal_dev", "-b", "1024"}});
  EXPECT_THAT(open_read(journal), FailsWith(Code::unsupported, "external journal"));
}

TEST_F(Admission, RefusesAFileSystemLargerThanItsPartition) {
  ExtImage ext(plain());
  Partition shorter = ext.partition();
  shorter.size_bytes -= 512;
  EXPECT_THAT(
      Volume::open_read(ext.image(), shorter),
      FailsWith(Code::corrupt, "the file system has 16777216 bytes, its partition only 16776704"));
}

TEST_F(Admission, RefusesWhatIsNoExtFileSystem) {
  ExtImage ext(plain());
  Partition elsewhere = ext.partition();
  elsewhere.offset_bytes = 4096;
  elsewhere.size_bytes -= 4096;
  EXPECT_THAT(Volume::open_read(ext.image(), elsewhere),
              FailsWith(Code::corrupt, "no ext2, ext3 or ext4 file system"));
  Partition tiny = ext.partition();
  tiny.size_bytes = 1000;
  EXPECT_THAT(Volume::open_read(ext.image(), tiny), FailsWith(Code::corrupt, "short read"));
  Partition beyond = ext.partition();
  beyond.offset_bytes = 16 << 20;
  EXPECT_THAT(Volume::open_read(ext.image(), beyond), FailsWith(Code::corrupt, "beyond its end"));
}

/// Where a block of a kind lies, as dumpe2fs tells it: "Block bitmap at 67".
[[nodiscard]] std::uint64_t block_of(const ExtImage& ext, const std::string& kind) {
  const std::string out = run_command({"dumpe2fs", ext.path().string()}).out;
  const std::size_t at = out.find(kind + " at ");
  EXPECT_NE(at, std::string::npos) << out;
  return std::stoull(out.substr(at + kind.size() + 4));
}

TEST_F(Admission, RefusesADamagedSuperblock) {
  ExtImage ext(plain());
  ext.damage(1024 + 0x78);  // the volume label: only the checksum can tell
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "checksum does not match superblock"));
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "repair the file system with 'e2fsck -f'"));
}

TEST_F(Admission, RefusesADamagedGroupDescriptor) {
  ExtImage ext(plain());
  ext.damage(2048 + 64 + 12);  // second group, free blocks
  EXPECT_THAT(open_read(ext),
              FailsWith(Code::corrupt, "descriptor of block group 1 does not match its checksum"));
}

TEST_F(Admission, RefusesGroupDescriptorsThatPointNowhere) {
  ExtImage ext({.name = "no_sums", .options = {"-t", "ext2", "-b", "1024"}});
  ext.damage(2048 + 3);  // high byte of the block bitmap's place
  EXPECT_THAT(open_read(ext), FailsWith(Code::corrupt, "repair the file system"));
}

TEST_F(Admission, RefusesADamagedBitmapBeforeEditing) {
  ExtImage ext(plain());
  ext.damage(block_of(ext, "Block bitmap") * 1024 + 7);
  Canvas canvas(ext.image());
  EXPECT_THAT(Volume::open_edit(canvas, ext.partition(), edit_time()),
              FailsWith(Code::corrupt, "Block bitmap checksum does not match bitmap"));
  EXPECT_THAT(open_read(ext), IsOk()) << "reading needs no bitmap";

  ExtImage other(plain());
  other.damage(block_of(other, "Inode bitmap") * 1024 + 1);
  Canvas other_canvas(other.image());
  EXPECT_THAT(Volume::open_edit(other_canvas, other.partition(), edit_time()),
              FailsWith(Code::corrupt, "Inode bitmap checksum does not match bitmap"));
}

TEST_F(Admission, NoticesADamagedInode) {
  ExtImage ext(plain());
  ext.damage(block_of(ext, "Inode table") * 1024 + 256 + 8);  // inode 2, a time
  auto volume = open_read(ext);
  ASSERT_THAT(volume, IsOk());
  EXPECT_THAT(volume->stat(kRootInode), FailsWith(Code::corrupt, "checksum does not match inode"));
}

TEST_F(Admission, NoticesADamagedDirectory) {
  ExtImage ext(plain());
  const std::string out = run_command({"debugfs", "-R", "blocks /", ext.path().string()}).out;
  ext.damage(std::stoull(out) * 1024 + 30);
  auto volume = open_read(ext);
  ASSERT_THAT(volume, IsOk());
  EXPECT_THAT(volume->lookup(kRootInode, "mender"), FailsWith(Code::corrupt, "repair"));
}

}  // namespace
}  // namespace imprint::image
