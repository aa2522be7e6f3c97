// Full images, grown directories, shared inodes, attributes: where an edit can go wrong.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
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
using imprint::test::TempDir;
using test::attributes;
using test::edit_time;
using test::ExtImage;
using test::ExtShape;
using ::testing::HasSubstr;
using ::testing::Not;

class VolumeEdge : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_command("mke2fs") || !has_command("debugfs")) GTEST_SKIP() << "needs e2fsprogs";
  }

  static Volume open(Canvas& canvas, const ExtImage& ext) {
    auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
    EXPECT_THAT(volume, IsOk());
    return std::move(volume.value());
  }
};

const ExtShape& small_blocks() {
  static const ExtShape shape{
      .name = "small_blocks", .options = {"-t", "ext4", "-b", "1024"}, .size_bytes = 4 << 20};
  return shape;
}

TEST_F(VolumeEdge, AFullImageIsRefusedWithWhatItLacksAndStaysWhole) {
  ExtImage ext(small_blocks());
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const std::uint64_t free_blocks = volume.free_blocks();
  const std::string most(static_cast<std::size_t>((free_blocks - 40) * 1024), 'x');
  ASSERT_THAT(volume.write_file(kRootInode, "most", bytes_of(most), attributes(0644)), IsOk());
  ASSERT_LT(volume.free_blocks(), 45U);

  const std::string more(std::size_t{100} * 1024, 'y');
  EXPECT_THAT(volume.write_file(kRootInode, "more", bytes_of(more), attributes(0644)),
              FailsWith(Code::image_full,
                        fmt::format("no room for 'more': 100 blocks of 1024 bytes needed, {} free",
                                    volume.free_blocks())));
  while (volume.free_blocks() > 0) {
    const std::string name = fmt::format("last{}", volume.free_blocks());
    ASSERT_THAT(volume.write_file(kRootInode, name, bytes_of("z"), attributes(0644)), IsOk());
  }
  EXPECT_THAT(volume.write_file(kRootInode, "none", bytes_of("z"), attributes(0644)),
              FailsWith(Code::image_full, "1 block of 1024 bytes needed, 0 free"));
  EXPECT_THAT(volume.make_directory(kRootInode, "none", attributes(0755)),
              FailsWith(Code::image_full, "no room for 'none'"));
  ASSERT_THAT(volume.commit(), IsOk()) << "a refusal harms nothing";
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
}

TEST_F(VolumeEdge, AnImageWithoutFreeInodesIsRefused) {
  ExtImage ext({.name = "few_inodes", .options = {"-t", "ext4", "-b", "1024", "-N", "16"}});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  for (unsigned i = 0; volume.free_inodes() > 0; ++i) {
    ASSERT_THAT(volume.write_file(kRootInode, fmt::format("f{}", i), ByteView(), attributes(0644)),
                IsOk());
  }
  EXPECT_THAT(volume.write_file(kRootInode, "more", bytes_of("z"), attributes(0644)),
              FailsWith(Code::image_full, "no room for 'more': no free inodes"));
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
}

TEST_F(VolumeEdge, NothingIsCommittedAfterAnEditThatFailedHalfWay) {
  ExtImage ext(small_blocks());
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  // The directory is filled to its last byte and the image to its last block but one: the file
  // fits, its name does not.
  const auto directory = volume.make_directory(kRootInode, "d", attributes(0755));
  ASSERT_THAT(directory, IsOk());
  for (unsigned i = 0; i < 5; ++i) {
    const std::string name = std::string(180, 'n') + std::to_string(i);
    ASSERT_THAT(volume.write_file(*directory, name, ByteView(), attributes(0644)), IsOk());
  }
  const std::string most(static_cast<std::size_t>((volume.free_blocks() - 40) * 1024), 'x');
  ASSERT_THAT(volume.write_file(kRootInode, "most", bytes_of(most), attributes(0644)), IsOk());
  while (volume.free_blocks() > 1) {
    const std::string name = fmt::format("last{}", volume.free_blocks());
    ASSERT_THAT(volume.write_file(kRootInode, name, bytes_of("z"), attributes(0644)), IsOk());
  }
  EXPECT_THAT(volume.write_file(*directory, std::string(180, 'm'), bytes_of("z"), attributes(0644)),
              FailsWith(Code::image_full, "no free blocks are left"));
  EXPECT_THAT(volume.write_file(kRootInode, "x", ByteView(), attributes(0644)),
              FailsWith(Code::internal, "an earlier edit failed half-way"));
  EXPECT_THAT(volume.commit(), FailsWith(Code::internal, "commit after an edit that failed"));
}

TEST_F(VolumeEdge, AVolumeOpenedForReadingIsNotEdited) {
  ExtImage ext(small_blocks());
  auto volume = Volume::open_read(ext.image(), ext.partition());
  ASSERT_THAT(volume, IsOk());
  EXPECT_THAT(volume->write_file(kRootInode, "x", ByteView(), attributes(0644)),
              FailsWith(Code::internal, "opened for reading only"));
  EXPECT_THAT(volume->make_directory(kRootInode, "x", attributes(0755)),
              FailsWith(Code::internal, "opened for reading only"));
  EXPECT_THAT(volume->commit(), FailsWith(Code::internal, "opened for reading"));
}

TEST_F(VolumeEdge, ADirectoryGrowsWhenItsBlockIsFull) {
  for (const char* type : {"ext2", "ext4"}) {
    ExtImage ext({.name = type, .options = {"-t", type, "-b", "1024"}});
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    const auto directory = volume.make_directory(kRootInode, "d", attributes(0755));
    ASSERT_THAT(directory, IsOk());
    for (unsigned i = 0; i < 60; ++i) {
      const std::string name = fmt::format("{:0>100}", i);
      ASSERT_THAT(volume.write_file(*directory, name, bytes_of(name), attributes(0644)), IsOk());
      ASSERT_THAT(volume.make_directory(*directory, "d" + name, attributes(0700)), IsOk());
    }
    const auto names = volume.list(*directory);
    ASSERT_THAT(names, IsOk());
    EXPECT_EQ(names->size(), 120U);
    EXPECT_TRUE(std::is_sorted(names->begin(), names->end()));
    ASSERT_THAT(volume.commit(), IsOk());
    ext.apply({&canvas});
    EXPECT_EQ(ext.fsck_complaints(), "") << type;
    EXPECT_EQ(ext.content(fmt::format("/d/{:0>100}", 59)), fmt::format("{:0>100}", 59));
  }
}

TEST_F(VolumeEdge, AnIndexedDirectoryOfThousandsStaysIndexedAndValid) {
  const TempDir source;
  std::filesystem::create_directory(source / "many");
  for (unsigned i = 0; i < 5000; ++i)
    std::ofstream(source / fmt::format("many/name-{}", i)) << i;
  ExtImage ext({.name = "indexed",
                .options = {"-t", "ext4", "-b", "1024", "-N", "8000", "-d", source.path().string()},
                .size_bytes = 32 << 20});
  const auto optimised = run_command({"e2fsck", "-fyD", ext.path().string()});
  ASSERT_LE(optimised.status, 1) << optimised.out;
  ASSERT_THAT(run_command({"debugfs", "-R", "htree_dump /many", ext.path().string()}).out,
              HasSubstr("Root node dump"));

  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const auto many = volume.lookup(kRootInode, "many");
  ASSERT_THAT(many, IsOk());
  for (unsigned i = 0; i < 5000; i += 100) {
    ASSERT_THAT(volume.write_file(**many, fmt::format("name-{}", i), bytes_of("replaced"),
                                  attributes(0600)),
                IsOk());
  }
  for (unsigned i = 0; i < 600; ++i) {
    ASSERT_THAT(
        volume.write_file(**many, fmt::format("added-{}", i), bytes_of("added"), attributes(0600)),
        IsOk());
  }
  ASSERT_THAT(volume.make_directory(**many, "sub", attributes(0700)), IsOk());
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_THAT(ext.debugfs("htree_dump /many"), HasSubstr("Root node dump"));
  EXPECT_EQ(ext.content("/many/name-4900"), "replaced");
  EXPECT_EQ(ext.content("/many/name-4901"), "4901");
  EXPECT_EQ(ext.content("/many/added-599"), "added");
}

TEST_F(VolumeEdge, OtherNodesInTheWayAreNotReplaced) {
  ExtImage ext(small_blocks());
  ext.prepare({"mkdir d", "symlink l target", "mknod p p"});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  for (const char* name : {"d", "l", "p"}) {
    EXPECT_THAT(
        volume.write_file(kRootInode, name, ByteView(), attributes(0644)),
        FailsWith(Code::exists, fmt::format("'{}' exists and is not a regular file", name)));
    EXPECT_THAT(volume.make_directory(kRootInode, name, attributes(0755)),
                FailsWith(Code::exists, fmt::format("'{}' exists already", name)));
  }
  ASSERT_THAT(volume.write_file(kRootInode, "f", ByteView(), attributes(0644)), IsOk());
  const auto file = volume.lookup(kRootInode, "f");
  EXPECT_THAT(volume.write_file(**file, "under", ByteView(), attributes(0644)),
              FailsWith(Code::invalid_input, "is not a directory"));
  EXPECT_THAT(volume.lookup(**file, "under"), FailsWith(Code::invalid_input, "not a directory"));
  EXPECT_THAT(volume.read_file(kRootInode), FailsWith(Code::invalid_input, "not a regular file"));
  EXPECT_THAT(volume.read_link(kRootInode), FailsWith(Code::invalid_input, "not a symbolic link"));
  EXPECT_THAT(volume.stat(0), FailsWith(Code::corrupt));
  EXPECT_THAT(volume.stat(4'000'000), FailsWith(Code::corrupt));
}

TEST_F(VolumeEdge, NamesThatAreNoNamesAreRefused) {
  ExtImage ext(small_blocks());
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  for (const std::string& name : {std::string(), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string("a\0b", 3)}) {
    EXPECT_THAT(volume.write_file(kRootInode, name, ByteView(), attributes(0644)),
                FailsWith(Code::invalid_input, "is no file name"));
  }
  ASSERT_THAT(volume.write_file(kRootInode, std::string(255, 'n'), ByteView(), attributes(0644)),
              IsOk());
  EXPECT_THAT(volume.write_file(kRootInode, std::string(256, 'n'), ByteView(), attributes(0644)),
              FailsWith(Code::invalid_input, "has 256 bytes; a file name has at most 255"));
  EXPECT_THAT(volume.make_directory(kRootInode, std::string(256, 'n'), attributes(0755)),
              FailsWith(Code::invalid_input, "has 256 bytes"));
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
}

TEST_F(VolumeEdge, AFileLargerThanTheLimitIsNotRead) {
  ExtImage ext(small_blocks());
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const auto file =
      volume.write_file(kRootInode, "f", bytes_of(std::string(5000, 'f')), attributes(0644));
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(volume.read_file(*file, 5000), IsOk());
  EXPECT_THAT(volume.read_file(*file, 4999),
              FailsWith(Code::invalid_input, "the file has 5000 bytes; at most 4999 are read"));
}

TEST_F(VolumeEdge, AnotherNameOfAReplacedFileKeepsItsContent) {
  const TempDir source;
  std::ofstream(source / "one") << "shared content";
  std::filesystem::create_hard_link(source / "one", source / "two");
  ExtImage ext({.name = "links", .options = {"-t", "ext4", "-d", source.path().string()}});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const auto two = volume.lookup(kRootInode, "two");
  ASSERT_THAT(two, IsOk());
  ASSERT_EQ(volume.stat(**two)->links, 2U);
  ASSERT_THAT(volume.write_file(kRootInode, "one", bytes_of("of its own"), attributes(0644)),
              IsOk());
  EXPECT_EQ(volume.stat(**two)->links, 1U);
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_EQ(ext.content("/one"), "of its own");
  EXPECT_EQ(ext.content("/two"), "shared content");
}

TEST_F(VolumeEdge, AttributesOfAReplacedFileGoOverToTheNewOne) {
  for (const char* inode_size : {"128", "256"}) {
    ExtImage ext(
        {.name = inode_size, .options = {"-t", "ext4", "-O", "^extra_isize", "-I", inode_size}});
    const std::string large(300, 'v');  // beyond a 256-byte inode
    ext.prepare({"write /dev/null conf", "ea_set conf security.selinux label_t",
                 "ea_set conf user.large " + large, "ea_set conf security.capability old"});
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    const std::uint64_t free_blocks = volume.free_blocks();
    ASSERT_THAT(volume.write_file(kRootInode, "conf", bytes_of("{}"), attributes(0600)), IsOk());
    ASSERT_THAT(volume.commit(), IsOk());
    const auto after = Volume::open_read(canvas, ext.partition());
    ASSERT_THAT(after, IsOk());
    EXPECT_EQ(after->free_blocks(), free_blocks - 1) << "the old attribute block is given back";
    ext.apply({&canvas});
    EXPECT_EQ(ext.fsck_complaints(), "");
    EXPECT_EQ(ext.content("/conf"), "{}");
    EXPECT_THAT(ext.debugfs("ea_get conf security.selinux"), HasSubstr("label_t"));
    EXPECT_THAT(ext.debugfs("ea_get conf user.large"), HasSubstr(large));
    EXPECT_THAT(ext.debugfs("ea_list conf"), Not(HasSubstr("security.capability")));
  }
}

TEST_F(VolumeEdge, AFragmentedFileIsWrittenReadReplacedAndZeroed) {
  for (const char* type : {"ext2", "ext4"}) {
    ExtImage ext(
        {.name = type, .options = {"-t", type, "-b", "1024", "-N", "1000"}, .size_bytes = 4 << 20});
    // Every other block of a stretch is taken, and all the rest: whatever comes has to lie in
    // pieces.
    std::vector<std::string> holes;
    Canvas crowded(ext.image());
    {
      Volume volume = open(crowded, ext);
      for (unsigned i = 0; i < 600; ++i) {
        const std::string name = fmt::format("f{}", i);
        ASSERT_THAT(volume.write_file(kRootInode, name, bytes_of("x"), attributes(0644)), IsOk());
        if (i % 2 == 0) holes.push_back("rm " + name);
      }
      const std::string rest(static_cast<std::size_t>((volume.free_blocks() - 30) * 1024), 'r');
      ASSERT_THAT(volume.write_file(kRootInode, "rest", bytes_of(rest), attributes(0644)), IsOk());
      ASSERT_THAT(volume.commit(), IsOk());
    }
    ext.apply({&crowded});
    std::filesystem::copy_file(ext.result_path(), ext.path(),
                               std::filesystem::copy_options::overwrite_existing);
    ext.prepare(holes);

    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    std::string content;
    while (content.size() < std::size_t{250} * 1024)
      content += fmt::format("secret {}\n", content.size());
    const auto file = volume.write_file(kRootInode, "big", bytes_of(content), attributes(0600));
    ASSERT_THAT(file, IsOk());
    const auto placement = volume.placement(*file);
    ASSERT_THAT(placement, IsOk());
    EXPECT_GT(placement->extents.size(), 100U) << "not the fragmented file this test is about";
    const auto read = volume.read_file(*file);
    ASSERT_THAT(read, IsOk());
    EXPECT_TRUE(text_of(*read) == content);
    ASSERT_THAT(volume.commit(), IsOk());
    ext.apply({&canvas});
    EXPECT_EQ(ext.fsck_complaints(), "") << type;
    EXPECT_TRUE(ext.content("/big") == content);

    const ImageReader& edited = canvas;
    Canvas after(edited);
    Volume again = open(after, ext);
    ASSERT_THAT(again.write_file(kRootInode, "big", bytes_of("small"), attributes(0600)), IsOk());
    ASSERT_THAT(again.commit(), IsOk());
    ext.apply({&canvas, &after});
    EXPECT_EQ(ext.fsck_complaints(), "") << type;
    EXPECT_EQ(ext.content("/big"), "small");
    EXPECT_FALSE(ext.result_holds("secret "));
  }
}

TEST_F(VolumeEdge, TheInodeOfEverySizePassesTheLibrarysCheck) {
  for (const char* inode_size : {"128", "256", "1024"}) {
    ExtImage ext({.name = inode_size,
                  .options = {"-t", "ext4", "-b", "1024", "-I", inode_size, "-O", "^extra_isize"},
                  .size_bytes = 4 << 20});
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    const auto inode =
        volume.write_file(kRootInode, "f", bytes_of(std::string(700, '\0')), attributes(0600));
    ASSERT_THAT(inode, IsOk());
    const auto placement = volume.placement(*inode);
    ASSERT_THAT(placement, IsOk());
    ASSERT_EQ(placement->capacity_bytes(), 1024U);
    ASSERT_TRUE(placement->has_checksum);
    ASSERT_THAT(volume.commit(), IsOk());
    Bytes on_disk(placement->inode.size());
    for (std::uint64_t size = 1; size <= 1024; ++size) {
      placement->inode_for_size(size, on_disk);
      ASSERT_THAT(canvas.write(placement->inode_offset, on_disk), IsOk());
      const auto reader = Volume::open_read(canvas, ext.partition());
      ASSERT_THAT(reader, IsOk());
      const auto info = reader->stat(*inode);
      ASSERT_THAT(info, IsOk()) << size;
      ASSERT_EQ(info->size_bytes, size);
    }
    on_disk[4] ^= std::byte{1};
    ASSERT_THAT(canvas.write(placement->inode_offset, on_disk), IsOk());
    const auto reader = Volume::open_read(canvas, ext.partition());
    ASSERT_THAT(reader, IsOk());
    EXPECT_THAT(reader->stat(*inode), FailsWith(Code::corrupt, "checksum does not match inode"));
  }
}

TEST_F(VolumeEdge, APlaceholderNeedsContentWithoutHoles) {
  ExtImage ext(small_blocks());
  const TempDir source;
  {
    std::ofstream sparse(source / "sparse");
    sparse.seekp(8192);
    sparse << "end";
  }
  ext.prepare({"write " + (source / "sparse").string() + " sparse", "write /dev/null empty"});
  auto volume = Volume::open_read(ext.image(), ext.partition());
  ASSERT_THAT(volume, IsOk());
  const auto sparse = volume->lookup(kRootInode, "sparse");
  const auto empty = volume->lookup(kRootInode, "empty");
  EXPECT_THAT(volume->placement(**sparse), FailsWith(Code::invalid_input, "has holes"));
  EXPECT_THAT(volume->placement(**empty),
              FailsWith(Code::invalid_input, "is no regular file with content"));
  EXPECT_THAT(volume->placement(kRootInode),
              FailsWith(Code::invalid_input, "is no regular file with content"));
  const auto read = volume->read_file(**sparse);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(text_of(*read), std::string(8192, '\0') + "end");
}

TEST_F(VolumeEdge, TheFreeMapIsThatOfTheImageAsItWas) {
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{512} * 77}) {
    ExtImage ext({.name = "map", .options = {"-t", "ext4", "-b", "1024"}, .offset_bytes = offset});
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    const auto map = volume.original_free_map();
    const auto file =
        volume.write_file(kRootInode, "f", bytes_of(std::string(3000, 'f')), attributes(0644));
    ASSERT_THAT(file, IsOk());
    const auto placement = volume.placement(*file);
    ASSERT_THAT(placement, IsOk());
    for (const Extent& extent : placement->extents) {
      EXPECT_TRUE(was_free(*map, extent.image_offset, extent.length_bytes));
      EXPECT_TRUE(was_free(*map, extent.image_offset + 10, 1));
    }
    EXPECT_FALSE(was_free(*map, placement->inode_offset, 1)) << "an inode table is no free block";
    EXPECT_FALSE(was_free(*map, offset + 1024, 1024)) << "the superblock";
    EXPECT_FALSE(was_free(*map, offset, 1)) << "before the first block";
    EXPECT_FALSE(was_free(*map, placement->extents[0].image_offset, 0)) << "an empty range";
    EXPECT_FALSE(was_free(*map, offset + (16 << 20), 1)) << "behind the file system";
    EXPECT_FALSE(was_free(*map, offset + (16 << 20) - 1, 2)) << "across its end";
    if (offset > 0) {
      EXPECT_FALSE(was_free(*map, offset - 1, 1)) << "before the partition";
    }

    // Block by block, against debugfs.
    ASSERT_THAT(volume.commit(), IsOk());
    if (offset != 0) continue;
    for (std::uint64_t block = 1; block < std::uint64_t{16} * 1024; block += 331) {
      const bool free_there =
          run_command({"debugfs", "-R", fmt::format("testb {}", block), ext.path().string()})
              .out.find("not in use") != std::string::npos;
      EXPECT_EQ(was_free(*map, block * 1024, 1024), free_there) << block;
    }
  }
}

TEST_F(VolumeEdge, TimesBeyond2038AreKept) {
  ExtImage ext({.name = "late", .options = {"-t", "ext4", "-I", "256"}});
  Canvas canvas(ext.image());
  auto volume = Volume::open_edit(canvas, ext.partition(),
                                  TimePoint(std::chrono::seconds(4'102'444'800)));  // 2100-01-01
  ASSERT_THAT(volume, IsOk());
  ASSERT_THAT(volume->write_file(kRootInode, "f", bytes_of("f"), attributes(0644)), IsOk());
  ASSERT_THAT(volume->commit(), IsOk());
  ext.apply({&canvas});
  const std::string stat = ext.debugfs("stat /f");
  EXPECT_THAT(stat, HasSubstr("mtime: 0xf4865700:00000001 -- Fri Jan  1"));
  EXPECT_THAT(stat, HasSubstr("2100"));
}

TEST_F(VolumeEdge, VolumesInSeveralThreadsDoNotDisturbEachOther) {
  constexpr int kThreads = 4;
  ExtImage ext(small_blocks());
  std::vector<crypto::Sha256Digest> digests(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&ext, &digests, thread] {
      for (int round = 0; round < 20; ++round) {
        Canvas canvas(ext.image());
        auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
        ASSERT_THAT(volume, IsOk());
        const auto other = Volume::open_read(ext.image(), ext.partition());
        ASSERT_THAT(other, IsOk());
        ASSERT_THAT(volume->write_file(kRootInode, "f", bytes_of("f"), attributes(0644)), IsOk());
        ASSERT_THAT(volume->commit(), IsOk());
        const auto patch = canvas.patch();
        ASSERT_THAT(patch, IsOk());
        digests[static_cast<std::size_t>(thread)] = patch->digest();
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const crypto::Sha256Digest& digest : digests)
    EXPECT_EQ(digest, digests[0]);
}

}  // namespace
}  // namespace imprint::image
