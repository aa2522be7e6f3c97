#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fat_image.hpp"
#include "imprint/base/text.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailsWith;
using imprint::test::has_command;
using imprint::test::IsOk;
using imprint::test::run_command;
using test::FatEdit;
using test::FatImage;
using test::FatShape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const FatShape& small() {
  static const FatShape shape{
      .name = "small", .options = {"-F", "16"}, .size_bytes = 16 << 20, .offset_bytes = 512 * 63};
  return shape;
}

std::string read_all(FileSystem& file_system, std::string_view path) {
  const auto content = file_system.read_whole(path);
  EXPECT_THAT(content, IsOk());
  return content ? std::string(text_of(*content)) : "";
}

Result<> write(FileSystem& file_system, std::string_view path, std::string_view text,
               const Attributes& attributes = {}) {
  return file_system.write_file(path, MemoryContent(bytes_of(text)), attributes);
}

bool tools_are_there() {
  return has_command("mkfs.vfat") && has_command("fsck.vfat") && has_command("mcopy");
}

#define NEED_FAT_TOOLS() \
  if (!tools_are_there()) GTEST_SKIP() << "needs dosfstools and mtools"

/// fatcat reads any FAT32, mtools only those of many clusters.
std::string fatcat(const FatImage& fat, const std::string& path) {
  const auto read = run_command({"fatcat", fat.result_path().native(), "-r", path});
  EXPECT_EQ(read.status, 0) << read.err;
  return read.out;
}

class FatShapes : public ::testing::TestWithParam<FatShape> {};

TEST_P(FatShapes, WhatIsWrittenSatisfiesTheTools) {
  NEED_FAT_TOOLS();
  FatImage fat(GetParam());
  fat.prepare({"mmd", "::/old"});
  fat.prepare({"mcopy", "-", "::/old/Config With Spaces.txt"}, "old content");
  FatEdit edit(fat);
  const std::string large(300'001, 'x');
  ASSERT_THAT(edit->make_directory("/overlays", {}), IsOk());
  ASSERT_THAT(edit->make_directory("/overlays/Deep [1]", {}), IsOk());
  ASSERT_THAT(write(*edit.file_system, "/overlays/Deep [1]/a[b] ü.txt", "hello"), IsOk());
  ASSERT_THAT(write(*edit.file_system, "/large.bin", large), IsOk());
  ASSERT_THAT(write(*edit.file_system, "/EMPTY", ""), IsOk());
  ASSERT_THAT(write(*edit.file_system, "/old/config with spaces.TXT", "new content"), IsOk());
  for (int i = 0; i < 40; ++i) {
    ASSERT_THAT(write(*edit.file_system, fmt::format("/old/a rather long name {}", i), "x"),
                IsOk());
  }
  EXPECT_EQ(read_all(*edit.file_system, "/large.bin"), large);
  EXPECT_EQ(read_all(*edit.file_system, "/old/CONFIG with spaces.txt"), "new content");
  ASSERT_THAT(edit->commit(), IsOk());
  fat.apply(edit.canvas);
  EXPECT_EQ(fat.fsck_complaints(), "");
  EXPECT_EQ(fat.mtools({"mtype", "::/overlays/Deep [[]1]/a[[]b] ü.txt"}), "hello");
  EXPECT_EQ(fat.mtools({"mtype", "::/large.bin"}), large);
  EXPECT_EQ(fat.mtools({"mtype", "::/old/Config With Spaces.txt"}), "new content");
  EXPECT_THAT(fat.mtools({"mdir", "-b", "::/old"}), HasSubstr("Config With Spaces.txt"))
      << "a replaced file keeps the letters of its name";
  EXPECT_THAT(fat.mtools({"mdir", "::/EMPTY"}), HasSubstr("2020-09-13  12:26"));
  EXPECT_FALSE(fat.result_holds("old content"));
}

TEST_P(FatShapes, WhatIsRemovedLeavesNothing) {
  NEED_FAT_TOOLS();
  FatImage fat(GetParam());
  const std::string secret(20'000, 'S');
  fat.prepare({"mmd", "::/keys"});
  fat.prepare({"mcopy", "-", "::/keys/key"}, secret);
  FatEdit edit(fat);
  EXPECT_THAT(edit->remove("/keys"), FailsWith(Code::exists, "the directory '/keys' is not empty"));
  ASSERT_THAT(write(*edit.file_system, "/keys/second", "TT" + secret), IsOk());
  ASSERT_THAT(edit->remove("/keys/key"), IsOk());
  ASSERT_THAT(edit->remove("/keys/second"), IsOk());
  ASSERT_THAT(edit->remove("/keys"), IsOk());
  EXPECT_THAT(*edit->list("/"), IsEmpty());
  ASSERT_THAT(edit->commit(), IsOk());
  fat.apply(edit.canvas);
  EXPECT_EQ(fat.fsck_complaints(), "");
  EXPECT_FALSE(fat.result_holds("SSSS"));
}

INSTANTIATE_TEST_SUITE_P(
    All, FatShapes,
    ::testing::Values(
        FatShape{"fat12", {"-F", "12"}, 2 << 20, 0},
        FatShape{"fat12_of_one_fat", {"-F", "12", "-f", "1", "-s", "4"}, 4 << 20, 1234 * 512},
        FatShape{"fat16", {"-F", "16"}, 16 << 20, 63 * 512},
        FatShape{"fat16_off_sectors", {"-F", "16"}, 16 << 20, 12345},
        FatShape{"fat12_of_4k_sectors", {"-F", "12", "-S", "4096"}, 8 << 20, 4096},
        FatShape{"fat32", {"-F", "32", "-s", "1"}, 36 << 20, 512}),
    [](const auto& shape) { return shape.param.name; });

/// mtools cannot be asked about these; Linux and firmware read them.
TEST(FatFileSystem, WritesFat32OfFewClustersToo) {
  NEED_FAT_TOOLS();
  IMPRINT_NEED_COMMAND("fatcat");
  for (const FatShape& shape : {FatShape{"of_512", {"-F", "32", "-s", "2"}, 20 << 20, 512},
                                FatShape{"of_4096", {"-F", "32", "-S", "4096"}, 40 << 20, 8192}}) {
    SCOPED_TRACE(shape.name);
    FatImage fat(shape);
    FatEdit edit(fat);
    const std::string large(300'001, 'x');
    ASSERT_THAT(edit->make_directory("/overlays", {}), IsOk());
    ASSERT_THAT(write(*edit.file_system, "/overlays/large.bin", large), IsOk());
    ASSERT_THAT(write(*edit.file_system, "/gone", "SSSSSS" + large), IsOk());
    ASSERT_THAT(write(*edit.file_system, "/gone", "and again"), IsOk());
    ASSERT_THAT(write(*edit.file_system, "/gone too", large), IsOk());
    ASSERT_THAT(edit->remove("/gone too"), IsOk());
    ASSERT_THAT(edit->commit(), IsOk());
    fat.apply(edit.canvas);
    EXPECT_EQ(fat.fsck_complaints(), "");
    EXPECT_FALSE(fat.result_holds("SSSSSS"));
    if (shape.name == "of_4096") continue;  // fatcat knows sectors of 512 bytes only
    EXPECT_EQ(fatcat(fat, "/overlays/large.bin"), large);
    EXPECT_EQ(fatcat(fat, "/gone"), "and again");
  }
}

TEST(FatFileSystem, TellsWhatMtoolsHasWritten) {
  NEED_FAT_TOOLS();
  FatImage fat(small());
  fat.prepare({"mmd", "::/overlays"});
  fat.prepare({"mcopy", "-", "::/UPPER.TXT"}, "upper");
  fat.prepare({"mcopy", "-", "::/lower.txt"}, "lower");
  fat.prepare({"mcopy", "-", "::/Ünï [x] cödé 日本語.tar.gz"}, "long");
  fat.prepare({"mattrib", "+r", "::/UPPER.TXT"});
  const auto source = read_natively(fat.image());
  const auto opened = source->open(fat.partition());
  ASSERT_THAT(opened, IsOk());
  FileSystem& fs = **opened;
  EXPECT_FALSE(fs.has_owners());
  EXPECT_THAT(*fs.list("/"),
              ElementsAre("UPPER.TXT", "lower.txt", "overlays", "Ünï [x] cödé 日本語.tar.gz"));
  EXPECT_EQ((*fs.find("/"))->type, NodeType::directory);
  EXPECT_EQ((*fs.find("/overlays"))->mode, 0755U);
  const auto upper = **fs.find("/upper.txt");
  EXPECT_EQ(upper.mode, 0444U);
  EXPECT_EQ(upper.size_bytes, 5U);
  EXPECT_EQ(to_rfc3339(upper.modified), "2017-07-14T02:40:00Z");
  EXPECT_EQ((*fs.find("/lower.txt"))->mode, 0644U);
  EXPECT_EQ(read_all(fs, "/ünÏ [x] cödé 日本語.tar.gz"), "long");
  EXPECT_FALSE((*fs.find("/none")).has_value());
  EXPECT_FALSE((*fs.find("/lower.txt/none")).has_value());
  EXPECT_THAT(fs.list("/none"), FailsWith(Code::not_found, "partition 1 ('BOOT') of "));
  EXPECT_THAT(fs.list("/lower.txt"), FailsWith(Code::invalid_input, "is not a directory"));
  EXPECT_THAT(fs.read_whole("/overlays"), FailsWith(Code::invalid_input, "not a regular file"));
  EXPECT_THAT(fs.read_link("/lower.txt"),
              FailsWith(Code::invalid_input, "'/lower.txt' is not a symbolic link"));
  EXPECT_THAT(fs.remove("/lower.txt"), FailsWith(Code::unsupported, "for reading only"));
}

TEST(FatFileSystem, KeepsOfAttributesWhatFatHas) {
  NEED_FAT_TOOLS();
  FatImage fat(small());
  FatEdit edit(fat);
  const TimePoint then(std::chrono::seconds(1234567890));
  ASSERT_THAT(write(*edit.file_system, "/sealed", "x", {.mode = 0444, .modified = then}), IsOk());
  ASSERT_THAT(write(*edit.file_system, "/plain", "y"), IsOk());
  ASSERT_THAT(edit->change_attributes("/plain", {.mode = 0555, .modified = then}), IsOk());
  EXPECT_THAT(edit->change_attributes("/plain", {.uid = 7}),
              FailsWith(Code::unsupported, "FAT has no owners"));
  ASSERT_THAT(edit->change_attributes("/plain", {.uid = 0, .gid = 0}), IsOk());
  ASSERT_THAT(write(*edit.file_system, "/sealed", "again", {.mode = 0444}), IsOk());
  EXPECT_THAT(edit->make_symlink("/link", "plain", {}),
              FailsWith(Code::unsupported, "FAT has no symbolic links"));
  EXPECT_THAT(edit->set_extended_attribute("/plain", "user.x", std::nullopt),
              FailsWith(Code::unsupported, "FAT has no extended attributes"));
  EXPECT_THAT(*edit->extended_attributes("/plain"), IsEmpty());
  ASSERT_THAT(edit->commit(), IsOk());
  fat.apply(edit.canvas);
  EXPECT_EQ(fat.fsck_complaints(), "");
  EXPECT_THAT(fat.mtools({"mattrib", "::/sealed"}), HasSubstr("R"));
  EXPECT_THAT(fat.mtools({"mattrib", "::/plain"}), HasSubstr("R"));
  EXPECT_THAT(fat.mtools({"mdir", "::/plain"}), HasSubstr("2009-02-13  23:31"));
  EXPECT_EQ(fat.mtools({"mtype", "::/sealed"}), "again");
}

TEST(FatFileSystem, RefusesNamesThatFatCannotHave) {
  NEED_FAT_TOOLS();
  FatImage fat(small());
  FatEdit edit(fat);
  const std::vector<std::pair<std::string, std::string>> bad{
      {"a:b", "it has ':'"},
      {"a*", "it has '*'"},
      {"a?", "it has '?'"},
      {"a\"b", "it has '\"'"},
      {"a\\b", "it has '\\\\'"},
      {"a|b", "it has '|'"},
      {"a\nb", "a control character"},
      {"dot.", "it ends with a dot or a space"},
      {"space ", "it ends with a dot or a space"},
      {"\xff", "not valid UTF-8"},
      {"CON", "it names a device of DOS"},
      {"nul", "it names a device of DOS"},
      {"😀", "a character above U+FFFF"},
      {std::string(256, 'n'), "more than 255 characters"},
  };
  for (const auto& [name, rule] : bad) {
    EXPECT_THAT(write(*edit.file_system, "/" + name, "x"), FailsWith(Code::invalid_input, rule));
    EXPECT_THAT(edit->make_directory("/" + name, {}), FailsWith(Code::invalid_input, rule));
  }
  EXPECT_TRUE(edit.canvas.patch()->writes.empty()) << "nothing has changed";
  for (const std::string_view good :
       {"aux.txt", "con.d", ".hidden", " lead", "-dash", "a;b+c,d=e", "a]b[", "a'b", "x.tar.gz",
        "bl~1", "{}", "%$#@!&()", "日本語", "com5", "prn.", "..a"}) {
    if (good.ends_with('.')) continue;
    ASSERT_THAT(write(*edit.file_system, fmt::format("/{}", good), good), IsOk()) << good;
    EXPECT_EQ(read_all(*edit.file_system, fmt::format("/{}", good)), good);
  }
  ASSERT_THAT(write(*edit.file_system, "/" + std::string(255, 'n'), "x"), IsOk());
  ASSERT_THAT(edit->commit(), IsOk());
  fat.apply(edit.canvas);
  EXPECT_EQ(fat.fsck_complaints(), "");
}

TEST(FatFileSystem, RefusesWhatHasNoRoom) {
  NEED_FAT_TOOLS();
  FatImage fat({.name = "tiny", .options = {"-F", "12"}, .size_bytes = 1 << 20});
  FatEdit edit(fat);
  EXPECT_THAT(write(*edit.file_system, "/big", std::string(2 << 20, 'x')),
              FailsWith(Code::image_full, "'big' needs 2097152 bytes and "));
  const std::string most(1'000'000, 'x');
  ASSERT_THAT(write(*edit.file_system, "/most", most), IsOk());
  ASSERT_THAT(write(*edit.file_system, "/most", most), IsOk()) << "it takes its own place";
  EXPECT_THAT(write(*edit.file_system, "/more", std::string(100'000, 'y')),
              FailsWith(Code::image_full, "'more' needs "));
  EXPECT_THAT(edit->make_directory("/MOST", {}), FailsWith(Code::exists, "'/MOST' exists"));
  EXPECT_THAT(write(*edit.file_system, "/none/x", ""),
              FailsWith(Code::not_found, "'/none' does not exist"));
  ASSERT_THAT(edit->commit(), IsOk());
  fat.apply(edit.canvas);
  EXPECT_EQ(fat.fsck_complaints(), "");
}

}  // namespace
}  // namespace imprint::image
