// File systems with one defect each: e2fsck finds it, and so does ours, with words for it. That
// sound ones pass, of every kind and after every operation, is in volume_matrix_test.cpp; that no
// damage makes it crash or hang, in damage_test.cpp.

#include "imprint/image/consistency.hpp"

#include <filesystem>
#include <fstream>
#include <ostream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::TempDir;
using test::ExtImage;
using test::ExtShape;

namespace stdfs = std::filesystem;

struct Defect {
  std::string name;
  std::vector<std::string> commands;  ///< for debugfs
  std::string says;
  std::vector<std::string> options = {"-t", "ext4"};
};

void PrintTo(const Defect& defect, std::ostream* out) {
  *out << defect.name;
}

/// Files in blocks, in a shared attribute block, links, a directory with an index.
void make_source(const TempDir& source) {
  stdfs::create_directories(source / "d/deep");
  stdfs::create_directory(source / "many");
  std::ofstream(source / "file") << std::string(100'000, 'f');
  std::ofstream(source / "other") << std::string(30'000, 'o');
  std::ofstream(source / "d/small") << "small";
  stdfs::create_hard_link(source / "d/small", source / "d/second");
  stdfs::create_symlink("file", source / "fast");
  stdfs::create_symlink(std::string(200, 's'), source / "slow");
  for (int i = 0; i < 300; ++i)
    std::ofstream(source / fmt::format("many/with-a-name-of-some-length-{}", i));
}

class Defects : public ::testing::TestWithParam<Defect> {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("mke2fs");
    IMPRINT_NEED_COMMAND("debugfs");
    make_source(source_);
  }

  [[nodiscard]] ExtImage make() const {
    std::vector<std::string> options = GetParam().options;
    options.insert(options.end(), {"-b", "1024", "-d", source_.path().string()});
    return ExtImage({.name = "defect", .options = std::move(options)});
  }

  TempDir source_;
};

TEST_P(Defects, IsFoundByBoth) {
  ExtImage ext = make();
  ASSERT_THAT(check_consistency(ext.image(), ext.partition()), IsOk());
  ext.prepare(GetParam().commands);
  ext.apply({});
  EXPECT_NE(ext.fsck_complaints(), "");
  const auto checked = check_consistency(ext.image(), ext.partition());
  EXPECT_THAT(checked, FailsWith(Code::corrupt, GetParam().says));
  EXPECT_THAT(checked, FailsWith(Code::corrupt, "partition 4 ('data') of '"));
  EXPECT_THAT(checked, FailsWith(Code::corrupt, "'e2fsck -f'"));
}

[[nodiscard]] std::vector<Defect> defects() {
  const std::vector<std::string> ext2{"-t", "ext2"};
  return {
      {"cleared_inode", {"clri /file"}, "which names inode"},
      {"cleared_directory", {"clri /d"}, "which names inode"},
      {"links", {"set_inode_field /file links_count 5"}, "says that it has 5 links; it has 1"},
      {"links_of_directory", {"sif /d links_count 9"}, "says that it has 9 links; it has 3"},
      {"freed_block", {"freeb 600"}, "is in use, but marked as free", ext2},
      {"marked_block", {"setb 15000"}, "block 15000 is marked as in use, but nothing uses it"},
      {"freed_inode", {"freei /file"}, "is in use, but marked as free"},
      {"marked_inode", {"seti <1500>"}, "inode 1500 is marked as in use, but nothing uses it"},
      {"unlinked", {"unlink /file"}, "is in use, but no directory names it"},
      {"unlinked_directory", {"unlink /d/deep"}, "the directory in inode"},
      {"super_reserved",
       {"ssv r_blocks_count 16000"},
       "s_r_blocks_count of the superblock is 16000"},
      {"group_free_blocks",
       {"set_bg 1 free_blocks_count 7", "set_bg 1 checksum calc"},
       "block group 1 says that it has 7 free blocks; it has"},
      {"group_free_inodes",
       {"set_bg 0 free_inodes_count 1500", "set_bg 0 checksum calc"},
       "block group 0 says that it has 1500 free inodes; it has",
       ext2},
      {"group_directories",
       {"set_bg 0 used_dirs_count 44", "set_bg 0 checksum calc"},
       "block group 0 says that it has 44 directories; it has"},
      {"group_checksum",
       {"set_bg 1 checksum 0x1234"},
       "the descriptor of block group 1 does not match its checksum"},
      {"group_unused",
       {"set_bg 0 itable_unused 2000", "set_bg 0 checksum calc"},
       "never used than free ones"},
      {"block_bitmap_checksum",
       {"set_bg 1 block_bitmap_csum 0x1234", "set_bg 1 checksum calc"},
       "the block bitmap of block group 1 does not match its checksum"},
      {"inode_bitmap_checksum",
       {"set_bg 0 inode_bitmap_csum 0x1234", "set_bg 0 checksum calc"},
       "the inode bitmap of block group 0 does not match its checksum"},
      {"block_twice",
       {"sif /file block[0] 700", "sif /other block[0] 700"},
       "which belongs to something else, too",
       ext2},
      {"block_in_metadata", {"sif /file block[0] 3"}, "which belongs to something else, too", ext2},
      {"block_beyond_end",
       {"sif /file block[0] 99999999"},
       "claims block 99999999, which does not exist",
       ext2},
      {"extent_header", {"sif /file block[0] 0"}, "has no right header"},
      {"extent_length", {"sif /file block[4] 0"}, "an extent is empty"},
      {"extent_beyond_end", {"sif /file block[5] 99999999"}, "which does not exist"},
      {"extent_depth", {"sif /file block[1] 0x90004"}, "its extent tree is too deep"},
      {"extent_unsaid", {"sif /file flags 0"}, "has extents, but does not say so"},
      {"extents_in_ext2",
       {"sif /file flags 0x80000"},
       "has extents in a file system without such",
       ext2},
      {"size_too_small", {"sif /file size 10"}, "has a size of 10 bytes, but blocks for"},
      {"directory_size", {"sif /d size 5000"}, "is a directory of 5000 bytes"},
      {"block_count", {"sif /file blocks 2"}, "says that it has 2 blocks (of 512 bytes); it has"},
      {"deletion_time", {"sif /file dtime 0x65000000"}, "has a time of deletion"},
      {"fragment", {"sif /file faddr 7"}, "has the address of a fragment"},
      {"mode", {"sif /file mode 0"}, "has no type"},
      {"type_of_entry", {"sif /file mode 0010644"}, "has no content, but"},
      {"symlink_size", {"sif /fast size 3"}, "is no right symbolic link"},
      {"slow_symlink_size", {"sif /slow size 100"}, "is no right symbolic link"},
      {"root_file", {"sif / mode 0100644"}, "is the root directory's, but no directory"},
      {"inode_checksum", {"sif /file checksum 0x12345678"}, "does not match its checksum"},
      {"two_names_of_directory", {"ln /d/deep /again"}, "a directory that has another name"},
      {"reserved_inode_named", {"ln <8> /journal"}, "that is not in use"},
      {"attribute_block", {"sif /file file_acl 99999999"}, "cannot be", ext2},
      {"attribute_block_of_data", {"sif /file file_acl 0x2000"}, "there are none in block 8192"},
      {"index_on_file", {"sif /file flags 0x81000"}, "has a directory index, but cannot"},
      {"index_on_plain_directory", {"sif /d flags 0x81000"}, "the index of the directory"},
      {"inline_without_feature",
       {"sif /file flags 0x10000000"},
       "has inline data in a file system without such"},
      {"journal_gone", {"sif <8> mode 0"}, "is the file system's own, but no file"},
      {"journal_short", {"sif <8> size 4096"}, "has a size of 4096 bytes"},
      {"resize_inode", {"sif <7> block[0] 77"}, "the resize inode cannot be right"},
      {"resize_inode_count", {"sif <7> blocks 2"}, "the resize inode says that it has 2 blocks"},
      {"dot",
       {"unlink /d/."},
       "does not begin with '.' and '..'",
       {"-t", "ext4", "-O", "^metadata_csum"}},
      {"parent",
       {"unlink /d/deep/..", "ln / /d/deep/.."},
       "says that it is in inode 2",
       {"-t", "ext4", "-O", "^metadata_csum"}},
      {"inline_data_gone",
       {"ea_rm /d/small system.data"},
       "has inline data, but no attribute for it",
       {"-t", "ext4", "-O", "inline_data"}},
      {"cluster_twice",
       {"sif /file block[5] 16"},
       "which belongs to something else, too",
       {"-t", "ext4", "-O", "bigalloc", "-C", "16384"}},
  };
}

INSTANTIATE_TEST_SUITE_P(One, Defects, ::testing::ValuesIn(defects()),
                         [](const auto& defect) { return defect.param.name; });

// As they are after every recovery, until the next unmount.
TEST(Consistency, FreeCountsOfTheSuperblockCountForNothing) {
  IMPRINT_NEED_COMMAND("mke2fs");
  IMPRINT_NEED_COMMAND("debugfs");
  ExtImage ext({.name = "counts", .options = {"-t", "ext4"}});
  ext.prepare({"ssv free_blocks_count 5", "ssv free_inodes_count 6"});
  ext.apply({});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_THAT(check_consistency(ext.image(), ext.partition()), IsOk());
}

TEST(Consistency, WhatCannotBeOpenedIsNotSound) {
  IMPRINT_NEED_COMMAND("mke2fs");
  IMPRINT_NEED_COMMAND("debugfs");
  ExtImage ext({.name = "state", .options = {"-t", "ext4"}});
  ext.prepare({"ssv state 0"});
  EXPECT_THAT(check_consistency(ext.image(), ext.partition()),
              FailsWith(Code::corrupt, "was not cleanly unmounted"));
}

}  // namespace
}  // namespace imprint::image
