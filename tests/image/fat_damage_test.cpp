// What is damaged is refused with a reason, or read as far as it goes; never a crash or a hang.

#include <cstdlib>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fat_image.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailsWith;
using imprint::test::has_command;
using imprint::test::IsOk;
using test::FatEdit;
using test::FatImage;
using test::FatShape;

/// Sectors of 512 bytes, clusters of 1: the FATs begin at 512, and 2048 bytes of FAT12 are 3
/// sectors and more.
FatShape tiny() {
  return {.name = "tiny",
          .options = {"-F", "12", "-s", "1", "-R", "1", "-r", "112"},
          .size_bytes = 512 << 10};
}

Result<std::unique_ptr<FileSystem>> try_edit(Canvas& canvas, const FatImage& fat,
                                             std::unique_ptr<FileSystemSource>& source) {
  source = edit_natively(canvas, TimePoint(std::chrono::seconds(1600000001)));
  return source->open(fat.partition());
}

class FatDamage : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_command("mkfs.vfat") || !has_command("mcopy")) {
      GTEST_SKIP() << "needs dosfstools and mtools";
    }
    fat_ = std::make_unique<FatImage>(tiny());
    fat_->prepare({"mmd", "::/d"});
    fat_->prepare({"mcopy", "-", "::/d/file"}, std::string(1500, 'x'));
    fat_->prepare({"mcopy", "-", "::/other with a long name"}, std::string(1500, 'y'));
  }

  Result<std::unique_ptr<FileSystem>> edit() {
    canvas_ = std::make_unique<Canvas>(fat_->image());
    return try_edit(*canvas_, *fat_, source_);
  }

  /// Three bytes of both FATs hold two entries: of clusters 2k and 2k + 1.
  void set_pair(unsigned pair, unsigned even, unsigned odd) {
    const std::string bytes{static_cast<char>(even & 0xFFU),
                            static_cast<char>((even >> 8U) | ((odd & 0xFU) << 4U)),
                            static_cast<char>(odd >> 4U)};
    const auto sectors = static_cast<unsigned char>(fat_->peek(22, 1).front());
    fat_->poke(512 + pair * 3, bytes);
    fat_->poke(512 + sectors * 512U + pair * 3, bytes);
  }

  std::unique_ptr<FatImage> fat_;
  std::unique_ptr<Canvas> canvas_;
  std::unique_ptr<FileSystemSource> source_;
};

TEST_F(FatDamage, IsRefusedByItsName) {
  // Cluster 2 is the directory, 3 to 5 its file, 6 to 8 the other.
  set_pair(2, 5, 3);
  EXPECT_THAT(edit(), FailsWith(Code::corrupt, "partition 1 ('BOOT') of "));
  EXPECT_THAT(edit(), FailsWith(Code::corrupt, "runs in a circle; repair it with 'fsck.vfat'"));
  set_pair(2, 5, 6);
  EXPECT_THAT(edit(), FailsWith(Code::corrupt, "belongs to another file too"));
  set_pair(2, 5, 0x300);
  EXPECT_THAT(edit(), FailsWith(Code::corrupt, "leads to cluster 768, which is free"));
  set_pair(2, 0xFFF, 0xFFF);
  EXPECT_THAT(edit(),
              FailsWith(Code::corrupt, "'file' has 1500 bytes, but clusters for 1024 only"));
  set_pair(2, 5, 0xFFF);
  ASSERT_THAT(edit(), IsOk());
  fat_->poke(512 + 30, "\x12");
  EXPECT_THAT(edit(), FailsWith(Code::corrupt, "its FATs differ; repair it with 'fsck.vfat'"));
}

// A directory inside itself, and one with two names: `cp -r` would never come to an end.
TEST_F(FatDamage, DirectoriesThatAreNoTreeAreNotListed) {
  fat_->prepare({"mmd", "::/d/inner"});
  const std::string sound = fat_->peek(0, 64 << 10);
  const std::size_t inner = sound.find("INNER      ");
  ASSERT_NE(inner, std::string::npos);
  const auto list = [this]() -> Result<std::vector<std::string>> {
    const auto source = read_natively(fat_->image());
    const auto opened = IMPRINT_TRY(source->open(fat_->partition()));
    return opened->list("/d");
  };
  EXPECT_THAT(list(), IsOk());
  constexpr std::size_t kFirstCluster = 26;
  fat_->poke(inner + kFirstCluster, "\x02");  // /d itself
  EXPECT_THAT(list(), FailsWith(Code::corrupt, "cluster 2 of 'inner' belongs to another"));
  fat_->poke(inner + kFirstCluster, sound.substr(inner + kFirstCluster, 1));
  ASSERT_EQ(sound.substr(inner + 32, 32), std::string(32, '\0'));
  std::string second = sound.substr(inner, 32);
  second[4] = 'X';
  fat_->poke(inner + 32, second);
  EXPECT_THAT(list(), FailsWith(Code::corrupt, "belongs to another file too"));
}

TEST_F(FatDamage, OfTheBootSectorIsRefused) {
  const std::string good = fat_->peek(0, 512);
  const auto with = [&](std::uint64_t offset, std::string_view bytes) {
    fat_->poke(0, good);
    fat_->poke(offset, bytes);
    return edit();
  };
  using namespace std::string_view_literals;
  EXPECT_THAT(with(11, "\x01\x02"sv), FailsWith(Code::corrupt, "sectors of 513 bytes"));
  EXPECT_THAT(with(13, "\x03"sv), FailsWith(Code::corrupt, "clusters of 3 sectors"));
  EXPECT_THAT(with(14, "\0\0"sv), FailsWith(Code::corrupt, "no reserved sectors"));
  EXPECT_THAT(with(16, "\x07"sv), FailsWith(Code::corrupt, "7 FATs"));
  EXPECT_THAT(with(19, "\xff\xff"sv), FailsWith(Code::corrupt, "its partition 524288"));
  EXPECT_THAT(with(19, "\x04\x00"sv), FailsWith(Code::corrupt, "no room for data"));
  EXPECT_THAT(with(22, "\x01\x00"sv), FailsWith(Code::corrupt, "FATs of 1 sectors for "));
  EXPECT_THAT(with(37, "\x01"sv),
              FailsWith(Code::corrupt, "it was not unmounted; check it with 'fsck.vfat -a'"));
}

TEST_F(FatDamage, AnywhereNeverCrashesNorHangs) {
  std::mt19937 random(1);  // the same on every run
  const std::string good = fat_->peek(0, 16 << 10);
  for (int round = 0; round < 3000; ++round) {
    std::string bad = good;
    // Boot sector, FATs, root directory and the first clusters.
    for (int flips = 0; flips < 3; ++flips)
      bad[random() % bad.size()] = static_cast<char>(random());
    fat_->poke(0, bad);
    const auto source = read_natively(fat_->image());
    const auto opened = source->open(fat_->partition());
    if (!opened) continue;
    const auto names = (*opened)->list("/");
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
      (void)(*opened)->read("/" + name, [](auto, auto) { return Result<>(); });
      (void)(*opened)->list("/" + name);
    }
    const auto edited = edit();
    if (!edited || round % 50 != 0) continue;
    const auto written = (*edited)->write_file("/new", MemoryContent(bytes_of("z")), {});
    if (written && (*edited)->commit()) fat_->apply(*canvas_);
  }
}

TEST_F(FatDamage, WithoutMtoolsIsReadButNotEdited) {
  const std::string path = std::getenv("PATH");
  const auto opened = edit();
  ASSERT_THAT(opened, IsOk());
  ::setenv("PATH", "/nowhere", 1);
  const auto written = (*opened)->make_directory("/new", {});
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(written, FailsWith(Code::io,
                                 "mtools is needed for FAT partitions: install the package "
                                 "mtools"));
  EXPECT_THAT((*opened)->commit(), FailsWith(Code::internal, "an edit has failed"));
  EXPECT_THAT((*opened)->find("/d/file"), IsOk());
}

}  // namespace
}  // namespace imprint::image
