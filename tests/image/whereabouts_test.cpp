// Where things are, held against debugfs: its `icheck` and `ncheck` answer the same question, its
// `imap` and `blocks` the other way round.

#include "imprint/image/whereabouts.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
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
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace stdfs = std::filesystem;

class Where : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("mke2fs");
    IMPRINT_NEED_COMMAND("debugfs");
    stdfs::create_directories(source_ / "etc/ssl");
    std::ofstream(source_ / "etc/ssl/key.pem") << std::string(9000, 'k');
    stdfs::create_hard_link(source_ / "etc/ssl/key.pem", source_ / "second");
    std::ofstream(source_ / "small") << "inside the inode";
    std::ofstream(source_ / "hollow").seekp(500'000) << "end";
    std::ofstream(source_ / "large") << std::string(400'000, 'l');
  }

  [[nodiscard]] test::ExtShape shape(std::vector<std::string> options) {
    options.insert(options.end(), {"-b", "1024", "-d", source_.path().string()});
    return {.name = "where", .options = std::move(options), .offset_bytes = 1U << 20};
  }

  [[nodiscard]] static std::vector<std::uint64_t> blocks_of(const ExtImage& ext,
                                                            const std::string& path) {
    std::istringstream text(ext.debugfs("blocks " + path));
    std::vector<std::uint64_t> blocks;
    for (std::uint64_t block = 0; text >> block;)
      blocks.push_back(block);
    return blocks;
  }

  [[nodiscard]] static InodeNumber inode_of(const ExtImage& ext, const std::string& path) {
    const std::string text = ext.debugfs("stat " + path);
    return static_cast<InodeNumber>(std::stoul(text.substr(text.find("Inode: ") + 7)));
  }

  [[nodiscard]] static Result<Whereabouts> at_block(const ExtImage& ext, std::uint64_t block) {
    const std::vector<Partition> partitions{ext.partition()};
    return whereabouts(ext.image(), partitions, ext.partition().offset_bytes + block * 1024 + 7);
  }

  TempDir source_;
};

TEST_F(Where, ContentOfAFileIsWhereDebugfsSays) {
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"-t", "ext4"}, std::vector<std::string>{"-t", "ext2"}}) {
    ExtImage ext(shape(options));
    ext.apply({});
    const InodeNumber inode = inode_of(ext, "/second");
    const auto map = VolumeMap::open(ext.image(), ext.partition());
    ASSERT_THAT(map, IsOk());
    const auto ranges = map->file_ranges(inode);
    ASSERT_THAT(ranges, IsOk());
    std::vector<std::uint64_t> blocks;
    for (const DataRange& range : ranges->content) {
      for (std::uint64_t at = 0; at < range.length_bytes; at += 1024)
        blocks.push_back((range.offset + at - ext.partition().offset_bytes) / 1024);
    }
    EXPECT_EQ(blocks, blocks_of(ext, "/second"));
    for (const std::uint64_t block : blocks) {
      const auto found = at_block(ext, block);
      ASSERT_THAT(found, IsOk());
      EXPECT_EQ(found->place, Place::file_content);
      EXPECT_EQ(found->inode, inode);
      EXPECT_THAT(found->paths, ElementsAre("/etc/ssl/key.pem", "/second"));
      EXPECT_EQ(found->text, fmt::format("content of '/etc/ssl/key.pem', '/second' (inode {}) in "
                                         "partition 4 ('data')",
                                         inode));
    }
    const std::string all = ext.base_content();
    EXPECT_EQ(all.substr(ranges->content.front().offset, 5), "kkkkk");
  }
}

TEST_F(Where, HolesAreNowhere) {
  ExtImage ext(shape({"-t", "ext4"}));
  ext.apply({});
  const auto map = VolumeMap::open(ext.image(), ext.partition());
  const auto ranges = map.value().file_ranges(inode_of(ext, "/hollow"));
  ASSERT_THAT(ranges, IsOk());
  ASSERT_EQ(ranges->content.size(), 1U);
  EXPECT_EQ(ranges->content[0].length_bytes, 1024U);
}

TEST_F(Where, TheInodeHoldsInlineContent) {
  ExtImage ext(shape({"-t", "ext4", "-O", "inline_data"}));
  ext.apply({});
  const InodeNumber inode = inode_of(ext, "/small");
  const auto map = VolumeMap::open(ext.image(), ext.partition());
  const auto ranges = map.value().file_ranges(inode);
  ASSERT_THAT(ranges, IsOk());
  EXPECT_TRUE(ranges->content.empty());
  EXPECT_EQ(ranges->inode.length_bytes, 256U);
  const std::string all = ext.base_content();
  EXPECT_THAT(all.substr(ranges->inode.offset, 256), HasSubstr("inside the inode"));
  const auto found = map->at(ranges->inode.offset + 50);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->place, Place::inode_table);
  EXPECT_EQ(found->text,
            fmt::format("the inode of '/small' (inode {}) in partition 4 ('data')", inode));
}

TEST_F(Where, EveryPlaceHasItsName) {
  ExtImage ext(shape({"-t", "ext4"}));
  ext.apply({});
  const auto is = [&](std::uint64_t block, Place place, const std::string& text) {
    const auto found = at_block(ext, block);
    ASSERT_THAT(found, IsOk()) << block;
    EXPECT_EQ(found->place, place) << found->text;
    EXPECT_THAT(found->text, HasSubstr(text));
  };
  is(0, Place::metadata, "the boot sector before the file system in partition 4 ('data')");
  is(1, Place::metadata, "the superblock of block group 0");
  is(2, Place::metadata, "the group descriptors of block group 0");
  is(3, Place::metadata, "the blocks for more group descriptors of block group 0");
  is(8193, Place::metadata, "the superblock of block group 1");
  is(16000, Place::free_block, "free block 16000");
  is(blocks_of(ext, "<8>").at(3), Place::journal, "the journal");
  is(blocks_of(ext, "/etc").at(0), Place::file_content, "names in '/etc' (inode ");
  is(blocks_of(ext, "<7>").at(0), Place::metadata, "in partition 4");
  const std::string groups = ext.debugfs("show_super_stats");
  const auto block_after = [&](const std::string& what) {
    return std::stoull(groups.substr(groups.find(what) + what.size()));
  };
  is(block_after("block bitmap at "), Place::metadata, "the block bitmap of block group 0");
  is(block_after("inode bitmap at "), Place::metadata, "the inode bitmap of block group 0");
  const std::uint64_t table = block_after("inode table at ");
  is(table, Place::inode_table, "the inode of inode 1, which has no name,");
  is(table + 100, Place::inode_table, "which is not in use) in partition 4");
}

TEST_F(Where, FilesWithoutANameAreToldByTheirNumber) {
  ExtImage ext(shape({"-t", "ext2"}));
  ext.apply({});
  const InodeNumber inode = inode_of(ext, "/large");
  const auto block = blocks_of(ext, "/large").at(0);
  ext.prepare({"unlink /large"});
  const auto found = at_block(ext, block);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->place, Place::file_content);
  EXPECT_EQ(found->text,
            fmt::format("content of inode {}, which has no name, in partition 4 ('data')", inode));
  EXPECT_TRUE(found->paths.empty());
}

TEST_F(Where, BlockMapsAndAttributesBelongToTheirFiles) {
  ExtImage ext(shape({"-t", "ext2"}));
  ext.apply({});
  ext.prepare({"ea_set /large user.big " + std::string(300, 'b')});
  ext.apply({});
  const auto blocks = blocks_of(ext, "/large");
  const auto numbers = at_block(ext, blocks.at(12));
  ASSERT_THAT(numbers, IsOk());
  EXPECT_THAT(numbers->text, HasSubstr("the block map of '/large' (inode"));
  EXPECT_EQ(numbers->place, Place::metadata);
  const std::string stat = ext.debugfs("stat /large");
  const auto acl = std::stoull(stat.substr(stat.find("File ACL: ") + 10));
  const auto attributes = at_block(ext, acl);
  ASSERT_THAT(attributes, IsOk());
  EXPECT_THAT(attributes->text, HasSubstr("extended attributes of '/large' (inode"));
}

TEST_F(Where, OutsideOfFileSystems) {
  ExtImage ext(shape({"-t", "ext4"}));
  ext.apply({});
  Partition longer = ext.partition();
  longer.size_bytes += 4096;
  const Partition fat{.number = 5,
                      .offset_bytes = longer.offset_bytes + longer.size_bytes + 100,
                      .size_bytes = 1000,
                      .file_system = "vfat",
                      .label = "BOOT"};
  const std::vector<Partition> partitions{longer, fat};
  const auto text = [&](std::uint64_t offset, Place place) {
    const auto found = whereabouts(ext.image(), partitions, offset);
    EXPECT_THAT(found, IsOk());
    EXPECT_EQ(found->place, place);
    return found->text;
  };
  EXPECT_EQ(text(0, Place::outside_partitions),
            "the space of the partition table, before partition 4");
  EXPECT_EQ(text(fat.offset_bytes - 1, Place::outside_partitions),
            "the gap between partitions 4 and 5");
  EXPECT_EQ(text(fat.offset_bytes + 1000, Place::outside_partitions),
            "the space behind partition 5, the last");
  EXPECT_EQ(text(fat.offset_bytes, Place::other_partition),
            "partition 5 ('BOOT'), which holds 'vfat'");
  EXPECT_EQ(text(longer.offset_bytes + ext.partition().size_bytes, Place::behind_file_system),
            "the space behind the file system in partition 4 ('data')");
  Partition broken = fat;
  broken.file_system = "ext4";
  const std::vector<Partition> no_ext{broken};
  const auto unreadable = whereabouts(ext.image(), no_ext, broken.offset_bytes);
  ASSERT_THAT(unreadable, IsOk());
  EXPECT_THAT(unreadable->text, HasSubstr("where in it cannot be said: partition 5"));
}

TEST_F(Where, QuestionsThatHaveNoAnswer) {
  ExtImage ext(shape({"-t", "ext4"}));
  ext.apply({});
  const auto map = VolumeMap::open(ext.image(), ext.partition());
  ASSERT_THAT(map, IsOk());
  EXPECT_THAT(map->at(5), FailsWith(Code::invalid_input, "byte 5 is not in it"));
  EXPECT_THAT(map->file_ranges(kRootInode),
              FailsWith(Code::invalid_input, "inode 2 is no regular file"));
}

// An edit changes nothing else than these, inode tables, directories and content.
TEST_F(Where, AllocationChangesWhatItSays) {
  ExtImage ext(shape({"-t", "ext4"}));
  ext.apply({});
  const auto map = VolumeMap::open(ext.image(), ext.partition());
  const auto ranges = map.value().allocation_metadata();
  ASSERT_THAT(ranges, IsOk());
  const std::string groups = ext.debugfs("show_super_stats");
  std::vector<std::uint64_t> blocks{1, 2, 8193, 8194};
  for (const std::string what : {"block bitmap at ", "inode bitmap at "}) {
    for (std::size_t at = groups.find(what); at != std::string::npos;
         at = groups.find(what, at + 1))
      blocks.push_back(std::stoull(groups.substr(at + what.size())));
  }
  std::uint64_t sum = 0;
  for (const DataRange& range : *ranges)
    sum += range.length_bytes;
  for (const std::uint64_t block : blocks) {
    const std::uint64_t at = ext.partition().offset_bytes + block * 1024;
    EXPECT_TRUE(std::any_of(ranges->begin(), ranges->end(), [&](const DataRange& range) {
      return at >= range.offset && at + 1024 <= range.offset + range.length_bytes;
    })) << block;
  }
  EXPECT_EQ(sum, blocks.size() * 1024);
}

}  // namespace
}  // namespace imprint::image
