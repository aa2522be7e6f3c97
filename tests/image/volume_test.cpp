#include "imprint/image/volume.hpp"

#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailsWith;
using imprint::test::has_command;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::slurp;
using test::attributes;
using test::edit_time;
using test::ExtImage;
using test::ExtShape;
using ::testing::HasSubstr;
using ::testing::Not;

/// Recognisable content that is no repetition of a short pattern.
[[nodiscard]] std::string text_of_size(std::size_t size, std::string_view mark) {
  std::string text;
  for (unsigned line = 0; text.size() < size; ++line)
    text += fmt::format("{} {}\n", mark, line * 2654435761U);
  text.resize(size);
  return text;
}

/// For a canvas over another one.
[[nodiscard]] const ImageReader& over(const Canvas& canvas) {
  return canvas;
}

class VolumeOnEveryShape : public ::testing::TestWithParam<ExtShape> {
 protected:
  void SetUp() override {
    if (!has_command("mke2fs") || !has_command("debugfs")) GTEST_SKIP() << "needs e2fsprogs";
  }
};

TEST_P(VolumeOnEveryShape, WritesWhatTheToolsRead) {
  ExtImage ext(GetParam());
  const std::string before = ext.base_content();
  Canvas canvas(ext.image());
  auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
  ASSERT_THAT(volume, IsOk());

  const auto mender = volume->make_directory(kRootInode, "mender", attributes(0700, 0, 0));
  ASSERT_THAT(mender, IsOk());
  const std::vector<std::size_t> sizes{0, 1, 227, 1023, 1024, 1025, 4096, 5000, 20'000, 300'000};
  for (const std::size_t size : sizes) {
    ASSERT_THAT(
        volume->write_file(*mender, fmt::format("f{}", size),
                           bytes_of(text_of_size(size, "content")), attributes(0640, 1000, 70'000)),
        IsOk());
  }
  const auto replaced =
      volume->write_file(*mender, "f5000", bytes_of("short now"), attributes(0600));
  ASSERT_THAT(replaced, IsOk());
  const auto info = volume->stat(*replaced);
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->mode, 0600U);
  EXPECT_EQ(info->size_bytes, 9U);
  ASSERT_THAT(volume->commit(), IsOk());
  ext.apply({&canvas});

  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_TRUE(ext.base_content() == before) << "the base image was written to";
  for (const std::size_t size : sizes) {
    const std::string expected = size == 5000 ? "short now" : text_of_size(size, "content");
    EXPECT_EQ(ext.content(fmt::format("/mender/f{}", size)), expected) << size;
  }
  const std::string stat = ext.debugfs("stat /mender/f300000");
  EXPECT_THAT(stat, HasSubstr("Mode:  0640"));
  EXPECT_THAT(stat, HasSubstr("User:  1000   Group: 70000"));
  EXPECT_THAT(stat, HasSubstr("Links: 1"));
  EXPECT_THAT(stat, HasSubstr("2030"));
  const std::string directory = ext.debugfs("stat /mender");
  EXPECT_THAT(directory, HasSubstr("Type: directory    Mode:  0700"));
  EXPECT_THAT(directory, HasSubstr("User:     0   Group:     0"));
}

TEST_P(VolumeOnEveryShape, ReplacedContentIsGoneFromTheImage) {
  ExtImage ext(GetParam());
  const std::string secret = text_of_size(40'000, "old-private-key");
  Canvas first(ext.image());
  {
    auto volume = Volume::open_edit(first, ext.partition(), edit_time());
    ASSERT_THAT(volume, IsOk());
    ASSERT_THAT(volume->write_file(kRootInode, "key", bytes_of(secret), attributes(0600)), IsOk());
    ASSERT_THAT(volume->commit(), IsOk());
  }
  ext.apply({&first});
  ASSERT_TRUE(ext.result_holds("old-private-key"));

  Canvas second(over(first));
  auto volume = Volume::open_edit(second, ext.partition(), edit_time());
  ASSERT_THAT(volume, IsOk());
  const std::uint64_t free_blocks = volume->free_blocks();
  ASSERT_THAT(volume->write_file(kRootInode, "key", bytes_of("new"), attributes(0600)), IsOk());
  ASSERT_THAT(volume->commit(), IsOk());
  const auto after = Volume::open_read(second, ext.partition());
  ASSERT_THAT(after, IsOk());
  EXPECT_GT(after->free_blocks(), free_blocks);

  ext.apply({&first, &second});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_EQ(ext.content("/key"), "new");
  EXPECT_FALSE(ext.result_holds("old-private-key"));
}

TEST_P(VolumeOnEveryShape, PlacementMakesTheInodeOfEverySizeThatFits) {
  ExtImage ext(GetParam());
  Canvas canvas(ext.image());
  auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
  ASSERT_THAT(volume, IsOk());
  const std::uint64_t block = volume->block_bytes();
  const auto inode = volume->write_file(kRootInode, "placeholder",
                                        bytes_of(std::string(2 * block, '\0')), attributes(0600));
  ASSERT_THAT(inode, IsOk());
  const auto placement = volume->placement(*inode);
  ASSERT_THAT(placement, IsOk());
  EXPECT_EQ(placement->capacity_bytes(), 2 * block);
  ASSERT_THAT(volume->commit(), IsOk());

  for (const std::uint64_t size : {block + 1, block + 77, 2 * block - 1, 2 * block}) {
    Canvas device(over(canvas));
    std::string content = text_of_size(size, "device");
    std::string_view rest = content;
    for (const Extent& extent : placement->extents) {
      const auto part = rest.substr(0, static_cast<std::size_t>(extent.length_bytes));
      ASSERT_THAT(device.write(extent.image_offset, bytes_of(part)), IsOk());
      rest.remove_prefix(part.size());
    }
    Bytes on_disk(placement->inode.size());
    placement->inode_for_size(size, on_disk);
    ASSERT_THAT(device.write(placement->inode_offset, on_disk), IsOk());

    // The library verifies the inode's checksum when it reads it.
    auto again = Volume::open_read(device, ext.partition());
    ASSERT_THAT(again, IsOk());
    const auto found = again->lookup(kRootInode, "placeholder");
    ASSERT_THAT(found, IsOk());
    const auto read = again->read_file(**found);
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(text_of(*read), content);

    ext.apply({&canvas, &device});
    EXPECT_EQ(ext.fsck_complaints(), "") << size;
    EXPECT_EQ(ext.content("/placeholder"), content);
  }
}

TEST_P(VolumeOnEveryShape, TheSameEditGivesTheSameBytes) {
  ExtImage ext(GetParam());
  std::vector<crypto::Sha256Digest> digests;
  for (int run = 0; run < 2; ++run) {
    Canvas canvas(ext.image());
    auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
    ASSERT_THAT(volume, IsOk());
    const auto directory = volume->make_directory(kRootInode, "etc", attributes(0755));
    ASSERT_THAT(directory, IsOk());
    ASSERT_THAT(volume->write_file(*directory, "a", bytes_of("one"), attributes(0644)), IsOk());
    ASSERT_THAT(volume->write_file(*directory, "a", bytes_of("two"), attributes(0644)), IsOk());
    ASSERT_THAT(volume->commit(), IsOk());
    const auto patch = canvas.patch();
    ASSERT_THAT(patch, IsOk());
    digests.push_back(patch->digest());
    // A time stamp from the system's clock would differ now.
    if (run == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1001));
  }
  EXPECT_EQ(digests[0], digests[1]);
}

[[nodiscard]] std::vector<ExtShape> every_shape() {
  return {
      {.name = "mender_data", .options = {"-t", "ext4", "-b", "1024"}},
      {.name = "blocks_2k", .options = {"-t", "ext4", "-b", "2048"}},
      {.name = "blocks_4k", .options = {"-t", "ext4", "-b", "4096"}},
      {.name = "ext2", .options = {"-t", "ext2", "-b", "1024"}},
      {.name = "ext3", .options = {"-t", "ext3", "-b", "4096"}},
      {.name = "no_journal", .options = {"-t", "ext4", "-O", "^has_journal"}},
      {.name = "small_inodes", .options = {"-t", "ext4", "-I", "128", "-O", "^extra_isize"}},
      {.name = "large_inodes", .options = {"-t", "ext4", "-I", "1024"}},
      {.name = "no_checksums", .options = {"-t", "ext4", "-O", "^metadata_csum,uninit_bg"}},
      {.name = "plain_groups", .options = {"-t", "ext4", "-O", "^metadata_csum,^uninit_bg"}},
      {.name = "checksum_seed", .options = {"-t", "ext4", "-O", "metadata_csum_seed"}},
      {.name = "orphan_file", .options = {"-t", "ext4", "-O", "orphan_file"}},
      {.name = "no_64bit", .options = {"-t", "ext4", "-O", "^64bit"}},
      {.name = "sparse_super2", .options = {"-t", "ext4", "-O", "sparse_super2,^resize_inode"}},
      {.name = "large_dir", .options = {"-t", "ext4", "-O", "large_dir"}},
      {.name = "no_filetype", .options = {"-t", "ext2", "-O", "^filetype"}},
      {.name = "odd_sector",
       .options = {"-t", "ext4", "-b", "1024"},
       .offset_bytes = std::uint64_t{513} * 512},
      {.name = "odd_sector_4k",
       .options = {"-t", "ext4", "-b", "4096"},
       .offset_bytes = std::uint64_t{2047} * 512},
  };
}

INSTANTIATE_TEST_SUITE_P(Shapes, VolumeOnEveryShape, ::testing::ValuesIn(every_shape()),
                         [](const auto& shape) { return shape.param.name; });

}  // namespace
}  // namespace imprint::image
