// Deep, large, hollow, full and damaged: where an edit or a reader runs out of something.

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "imprint/image/volume.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

namespace stdfs = std::filesystem;
using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;
using test::attributes;
using test::edit_time;
using test::ExtImage;
using test::ExtShape;
using ::testing::HasSubstr;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// Five GiB with a few bytes at each end and around the fourth.
class LargeContent final : public Content {
 public:
  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return 5 * kGiB; }

  [[nodiscard]] Result<std::vector<DataRange>> data_ranges() const override {
    return std::vector<DataRange>{{0, 3}, {4 * kGiB - 2, 4}, {5 * kGiB - 1, 1}};
  }

  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override {
    for (std::size_t i = 0; i < into.size(); ++i)
      into[i] = is_data(offset + i) ? std::byte{'d'} : std::byte{0};
    return {};
  }

  [[nodiscard]] static bool is_data(std::uint64_t at) {
    return at < 3 || (at >= 4 * kGiB - 2 && at < 4 * kGiB + 2) || at == 5 * kGiB - 1;
  }
};

class VolumeHard : public ::testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("mke2fs");
    IMPRINT_NEED_COMMAND("debugfs");
  }

  static Volume open(Canvas& canvas, const ExtImage& ext) {
    auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
    EXPECT_THAT(volume, IsOk());
    return std::move(volume.value());
  }

  /// Offsets of all bytes that are not zero, in the order in which they come.
  static std::vector<std::uint64_t> data_of(const Volume& volume, InodeNumber inode) {
    std::vector<std::uint64_t> found;
    std::uint64_t end = 0;
    EXPECT_THAT(volume.read_content(inode,
                                    [&](std::uint64_t offset, ByteView bytes) {
                                      EXPECT_GE(offset, end);
                                      end = offset + bytes.size();
                                      for (std::size_t i = 0; i < bytes.size(); ++i)
                                        if (bytes[i] != std::byte{0}) found.push_back(offset + i);
                                      return Result<>();
                                    }),
                IsOk());
    EXPECT_LE(end, volume.stat(inode)->size_bytes);
    return found;
  }
};

TEST_F(VolumeHard, AFileLargerThanFourGiBIsWrittenWithItsHolesAndRead) {
  const std::vector<std::uint64_t> expected{
      0, 1, 2, 4 * kGiB - 2, 4 * kGiB - 1, 4 * kGiB, 4 * kGiB + 1, 5 * kGiB - 1};
  for (const char* type : {"ext2", "ext4"}) {
    ExtImage ext({.name = type, .options = {"-t", type, "-b", "1024"}});
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    const std::uint64_t free_blocks = volume.free_blocks();
    const auto made = volume.write_file(kRootInode, "large", LargeContent(), attributes(0600));
    ASSERT_THAT(made, IsOk());
    EXPECT_LT(free_blocks - volume.free_blocks(), 16U);
    EXPECT_EQ(volume.stat(*made)->size_bytes, 5 * kGiB);
    EXPECT_EQ(data_of(volume, *made), expected);
    EXPECT_THAT(volume.read_file(*made), FailsWith(Code::invalid_input, "at most 16777216"));
    ASSERT_THAT(volume.commit(), IsOk());
    ext.apply({&canvas});
    EXPECT_EQ(ext.fsck_complaints(), "") << type;
    EXPECT_THAT(ext.debugfs("stat large"), HasSubstr("Size: 5368709120"));
  }
}

TEST_F(VolumeHard, AFileLargerThanFourGiBThatOthersMadeIsRead) {
  for (const char* type : {"ext2", "ext4"}) {
    const TempDir source;
    {
      std::ofstream file(source / "large", std::ios::binary);
      file << "ddd";
      file.seekp(static_cast<std::streamoff>(4 * kGiB + 7));
      file << "d";
    }
    ExtImage ext({.name = type, .options = {"-t", type, "-d", source.path().string()}});
    const auto volume = Volume::open_read(ext.image(), ext.partition());
    ASSERT_THAT(volume, IsOk());
    const auto large = volume->lookup(kRootInode, "large");
    ASSERT_THAT(large, IsOk());
    EXPECT_EQ(data_of(*volume, **large), (std::vector<std::uint64_t>{0, 1, 2, 4 * kGiB + 7}));
  }
}

TEST_F(VolumeHard, DirectoriesNestFiveHundredDeep) {
  ExtImage ext({.name = "deep", .options = {"-t", "ext4", "-b", "1024"}});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  std::vector<InodeNumber> path{kRootInode};
  for (int level = 0; level < 500; ++level) {
    const auto made = volume.make_directory(path.back(), "d", attributes(0755));
    ASSERT_THAT(made, IsOk()) << level;
    path.push_back(*made);
  }
  ASSERT_THAT(volume.write_file(path.back(), "f", bytes_of("deep"), attributes(0644)), IsOk());
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");

  const ImageReader& edited = canvas;
  Canvas second(edited);
  Volume again = open(second, ext);
  ASSERT_THAT(again.remove(path.back(), "f"), IsOk());
  while (path.size() > 1) {
    path.pop_back();
    ASSERT_THAT(again.remove(path.back(), "d"), IsOk()) << path.size();
  }
  EXPECT_EQ(again.stat(kRootInode)->links, 3U) << "itself, its own dot, lost+found";
  ASSERT_THAT(again.commit(), IsOk());
  ext.apply({&canvas, &second});
  EXPECT_EQ(ext.fsck_complaints(), "");
}

/// Fills the file system until `left` blocks are free, in a directory of its own.
void fill(Volume& volume, std::uint64_t left) {
  const auto directory = volume.make_directory(kRootInode, "fill", attributes(0755));
  ASSERT_THAT(directory, IsOk());
  ASSERT_GT(volume.free_blocks(), left + 60);
  const std::string most(static_cast<std::size_t>((volume.free_blocks() - left - 50) * 1024), 'm');
  ASSERT_THAT(volume.write_file(*directory, "most", bytes_of(most), attributes(0644)), IsOk());
  for (int i = 0; volume.free_blocks() > left; ++i) {
    ASSERT_THAT(
        volume.write_file(*directory, fmt::format("{}", i), bytes_of("x"), attributes(0644)),
        IsOk());
  }
}

TEST_F(VolumeHard, AFullDiskTakesExactlyWhatFits) {
  struct Case {
    const char* type;
    std::size_t fits_kib;
  };

  // 20 blocks: with ext2 one of them leads to the thirteenth and following.
  for (const auto& [type, fits] : {Case{"ext2", 19}, Case{"ext4", 20}}) {
    ExtImage ext({.name = type, .options = {"-t", type, "-b", "1024"}, .size_bytes = 4 << 20});
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    ASSERT_NO_FATAL_FAILURE(fill(volume, 20));
    const std::string more((fits + 1) * 1024, 'y');
    EXPECT_THAT(
        volume.write_file(kRootInode, "more", bytes_of(more), attributes(0644)),
        FailsWith(Code::image_full, "no room for 'more': 21 blocks of 1024 bytes needed, 20 free"));
    const std::string exactly(fits * 1024, 'y');
    ASSERT_THAT(volume.write_file(kRootInode, "exactly", bytes_of(exactly), attributes(0644)),
                IsOk());
    EXPECT_EQ(volume.free_blocks(), 0U);
    EXPECT_THAT(volume.make_symlink(kRootInode, "slow", std::string(100, 's'), {}),
                FailsWith(Code::image_full, "no room for 'slow'"));
    EXPECT_THAT(volume.make_symlink(kRootInode, "fast", "exactly", {}), IsOk());
    ASSERT_THAT(volume.remove(kRootInode, "exactly"), IsOk());
    ASSERT_THAT(volume.commit(), IsOk());
    ext.apply({&canvas});
    EXPECT_EQ(ext.fsck_complaints(), "") << type;
  }
}

TEST_F(VolumeHard, ReservedBlocksAreForRootAndThatIsUs) {
  ExtImage ext({.name = "reserved", .options = {"-t", "ext4", "-b", "1024", "-m", "40"}});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const std::string most(static_cast<std::size_t>((volume.free_blocks() - 10) * 1024), 'm');
  ASSERT_THAT(volume.write_file(kRootInode, "most", bytes_of(most), attributes(0644)), IsOk());
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
}

TEST_F(VolumeHard, GroupsThatNobodyHasUsedYetAreTaken) {
  ExtImage ext({.name = "groups",
                .options = {"-t", "ext4", "-b", "1024", "-g", "1024", "-O", "^flex_bg"},
                .size_bytes = 32 << 20});
  ASSERT_THAT(run_command({"dumpe2fs", ext.path().string()}).out, HasSubstr("BLOCK_UNINIT"));
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const std::string most(20 << 20, 'm');
  ASSERT_THAT(volume.write_file(kRootInode, "most", bytes_of(most), attributes(0644)), IsOk());
  for (int i = 0; i < 3000; ++i) {
    const std::string name = fmt::format("f{}", volume.free_inodes());
    ASSERT_THAT(volume.write_file(kRootInode, name, ByteView(), attributes(0644)), IsOk());
  }
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_TRUE(ext.content("most") == most);
}

TEST_F(VolumeHard, TenThousandNamesInAnIndexedDirectory) {
  const TempDir source;
  stdfs::create_directory(source / "many");
  for (unsigned i = 0; i < 10'000; ++i)
    const std::ofstream file(source / fmt::format("many/name-{}", i));
  ExtImage ext(
      {.name = "indexed",
       .options = {"-t", "ext4", "-b", "1024", "-N", "12000", "-d", source.path().string()},
       .size_bytes = 32 << 20});
  ASSERT_LE(run_command({"e2fsck", "-fyD", ext.path().string()}).status, 1);
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const auto many = volume.lookup(kRootInode, "many");
  ASSERT_THAT(many, IsOk());
  for (unsigned i = 0; i < 10'000; i += 50) {
    ASSERT_THAT(volume.remove(**many, fmt::format("name-{}", i)), IsOk());
    ASSERT_THAT(volume.write_file(**many, fmt::format("added-with-a-long-name-{}", i),
                                  bytes_of("a"), attributes(0644)),
                IsOk());
    ASSERT_THAT(
        volume.write_file(**many, fmt::format("name-{}", i + 1), bytes_of("r"), attributes(0644)),
        IsOk());
  }
  const auto names = volume.list(**many);
  ASSERT_THAT(names, IsOk());
  EXPECT_EQ(names->size(), 10'000U);
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_THAT(ext.debugfs("htree_dump /many"), HasSubstr("Root node dump"));
  if (geteuid() != 0) GTEST_SKIP() << "the kernel's own view needs root";
  const TempDir at;
  if (run_command({"mount", "-o", "loop,ro", ext.result_path().string(), at.path().string()})
          .status != 0) {
    GTEST_SKIP() << "the kernel's own view needs loop devices";
  }
  // The kernel finds names by their hash, not by reading all of them.
  for (unsigned i = 0; i < 10'000; i += 50) {
    EXPECT_TRUE(stdfs::exists(at / fmt::format("many/added-with-a-long-name-{}", i))) << i;
    EXPECT_EQ(stdfs::file_size(at / fmt::format("many/name-{}", i + 1)), 1U) << i;
    EXPECT_FALSE(stdfs::exists(at / fmt::format("many/name-{}", i))) << i;
  }
  EXPECT_EQ(run_command({"umount", at.path().string()}).status, 0);
}

TEST_F(VolumeHard, WithClustersTheFreeMapSpeaksOfBlocks) {
  ExtImage ext({.name = "clusters",
                .options = {"-t", "ext4", "-b", "1024", "-C", "16384", "-O", "bigalloc"},
                .size_bytes = 32 << 20});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const auto map = volume.original_free_map();
  for (std::uint64_t block = 1; block < std::uint64_t{32} * 1024; block += 431) {
    const bool free_there =
        run_command({"debugfs", "-R", fmt::format("testb {}", block), ext.path().string()})
            .out.find("not in use") != std::string::npos;
    EXPECT_EQ(was_free(*map, block * 1024, 1024), free_there) << block;
  }
  const std::uint64_t free_blocks = volume.free_blocks();
  ASSERT_THAT(volume.write_file(kRootInode, "f", bytes_of("f"), attributes(0644)), IsOk());
  EXPECT_EQ(volume.free_blocks(), free_blocks - 16);
  const std::string content(100'000, 'z');
  const auto made = volume.write_file(kRootInode, "z", bytes_of(content), attributes(0644));
  ASSERT_THAT(made, IsOk());
  const auto placement = volume.placement(*made);
  ASSERT_THAT(placement, IsOk());
  for (const Extent& extent : placement->extents)
    EXPECT_TRUE(was_free(*map, extent.image_offset, extent.length_bytes));
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
}

TEST_F(VolumeHard, BlocksThatLeadInCirclesAreAnErrorAndNoLoop) {
  ExtImage ext({.name = "circle", .options = {"-t", "ext2", "-b", "4096"}});
  const std::string block_text = ext.dir().write("block", std::string(4096, 'x')).string();
  ext.prepare({"write " + block_text + " circle", "mkdir d", "write /dev/null f"});
  const std::string number =
      run_command({"debugfs", "-R", "blocks circle", ext.path().string()}).out;
  const auto block = static_cast<std::uint32_t>(std::stoul(number));
  {
    std::fstream image(ext.path(), std::ios::in | std::ios::out | std::ios::binary);
    image.seekp(static_cast<std::streamoff>(block) * 4096);
    for (int i = 0; i < 1024; ++i)
      image.write(reinterpret_cast<const char*>(&block), sizeof(block));
  }
  const std::string value = std::to_string(block);
  ext.prepare({"set_inode_field d block[TIND] " + value, "set_inode_field d size 4000000000",
               "set_inode_field f block[TIND] " + value, "set_inode_field f size 4000000000"});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const auto d = volume.lookup(kRootInode, "d");
  const auto f = volume.lookup(kRootInode, "f");
  EXPECT_THAT(volume.list(**d), FailsWith(Code::corrupt, "cannot be right; repair"));
  EXPECT_THAT(volume.lookup(**d, "x"), FailsWith(Code::corrupt, "cannot be right; repair"));
  EXPECT_THAT(volume.read_content(**f, [](std::uint64_t, ByteView) { return Result<>(); }),
              FailsWith(Code::corrupt, "cannot be right; repair"));
  EXPECT_THAT(volume.remove(kRootInode, "f"), FailsWith(Code::corrupt, "repair the file system"));
  EXPECT_THAT(volume.commit(), FailsWith(Code::internal, "failed half-way"));
}

}  // namespace
}  // namespace imprint::image
