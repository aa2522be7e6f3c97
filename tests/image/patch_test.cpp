#include "imprint/image/patch.hpp"

#include <gtest/gtest.h>

#include "imprint/image/reader.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;
using test::IsOk;
using test::TempDir;

[[nodiscard]] Write write_of(std::uint64_t offset, std::string_view text) {
  const ByteView bytes = bytes_of(text);
  return Write{offset, {bytes.begin(), bytes.end()}};
}

[[nodiscard]] Patch patch_of(std::initializer_list<std::pair<std::uint64_t, const char*>> writes) {
  Patch patch;
  for (const auto& [offset, text] : writes)
    patch.writes.push_back(write_of(offset, text));
  return patch;
}

[[nodiscard]] std::vector<std::pair<std::uint64_t, std::string>> content(const Patch& patch) {
  std::vector<std::pair<std::uint64_t, std::string>> out;
  for (const Write& write : patch.writes) {
    out.emplace_back(write.offset, std::string(text_of(write.bytes)));
  }
  return out;
}

[[nodiscard]] Bytes copy(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(Patch, NormalizeSortsMergesNeighboursAndDropsEmptyWrites) {
  Patch patch = patch_of({{20, "cd"}, {5, ""}, {18, "ab"}, {3, "xy"}});
  ASSERT_THAT(patch.normalize(), IsOk());
  EXPECT_EQ(content(patch), content(patch_of({{3, "xy"}, {18, "abcd"}})));
  EXPECT_EQ(patch.total_bytes(), 6U);
}

TEST(Patch, NormalizeRefusesOverlap) {
  Patch patch = patch_of({{10, "abc"}, {12, "x"}});
  EXPECT_THAT(patch.normalize(), FailsWith(Code::internal, "overlap at byte 12"));
}

TEST(Patch, ApplyWritesTheBytesAndNothingElse) {
  const TempDir dir;
  const auto path = dir.write("image", "0123456789");
  auto file = File::open_read_write(path);
  ASSERT_THAT(file, IsOk());
  ASSERT_THAT(patch_of({{1, "AB"}, {8, "C"}}).apply(*file), IsOk());
  EXPECT_EQ(test::slurp(path), "0AB34567C9");
}

// The digest's definition, with the hash made by another program.
TEST(Patch, DigestIsSha256OverOffsetLengthAndBytes) {
  IMPRINT_NEED_COMMAND("sha256sum");
  using std::string_literals::operator""s;
  const std::string input =
      "\x02\x01\0\0\0\0\0\0\x03\0\0\0\0\0\0\0abc"s + "\0\0\x01\0\0\0\0\0\x01\0\0\0\0\0\0\0z"s;
  const auto judged = test::run_command({"sha256sum"}, input);
  EXPECT_EQ(to_hex(patch_of({{0x102, "abc"}, {0x10000, "z"}}).digest()), judged.out.substr(0, 64));
}

TEST(Patch, SerializedFormIsAsDocumented) {
  using std::string_literals::operator""s;
  const auto bytes = serialize(patch_of({{0x102, "abc"}}));
  EXPECT_EQ(text_of(bytes), "\x01\x01\0\0\0\x02\x01\0\0\0\0\0\0\x03\0\0\0abc"s);
}

TEST(Patch, SurvivesSerializing) {
  const Patch patch = patch_of({{0, "a"}, {7, "bcd"}, {1ULL << 40, "far"}});
  const auto parsed = parse_patch(serialize(patch));
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(content(*parsed), content(patch));
  ASSERT_THAT(parse_patch(serialize(Patch{})), IsOk());
}

TEST(Patch, ParseRefusesEveryCutAndEveryTail) {
  const Bytes whole = copy(serialize(patch_of({{0, "a"}, {7, "bcd"}})));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(parse_patch(ByteView(whole).first(size)), FailsWith(Code::corrupt, "cut short"))
        << size;
  }
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_THAT(parse_patch(longer), FailsWith(Code::corrupt, "after its end"));
}

TEST(Patch, ParseRefusesWhatSerializeCannotHaveWritten) {
  EXPECT_THAT(parse_patch(serialize(patch_of({{9, "a"}, {7, "b"}}))),
              FailsWith(Code::corrupt, "write 1 of a patch is out of order"));
  EXPECT_THAT(parse_patch(serialize(patch_of({{7, "a"}, {8, "b"}}))),
              FailsWith(Code::corrupt, "out of order"));
  EXPECT_THAT(parse_patch(serialize(patch_of({{7, ""}}))), FailsWith(Code::corrupt, "is empty"));
  EXPECT_THAT(parse_patch(serialize(patch_of({{~0ULL, "a"}}))),
              FailsWith(Code::corrupt, "beyond any file"));
  Bytes other = copy(serialize(Patch{}));
  other[0] = std::byte{9};
  EXPECT_THAT(parse_patch(other), FailsWith(Code::unsupported, "version 9"));
}

TEST(FileImage, ReadsWhatIsThereAndRefusesToReadBeyondTheEnd) {
  const TempDir dir;
  const auto image = FileImage::open(dir.write("image", "0123456789"));
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->size_bytes(), 10U);
  Bytes into(4);
  ASSERT_THAT(image->read(6, into), IsOk());
  EXPECT_EQ(text_of(into), "6789");
  EXPECT_THAT(image->read(7, into), FailsWith(Code::corrupt, "has 10 bytes; 4 bytes at 7"));
  EXPECT_THAT(image->read(~0ULL, into), FailsWith(Code::corrupt, "beyond its end"));
}

TEST(FileImage, OpeningWhatIsNotThereNamesIt) {
  const TempDir dir;
  EXPECT_THAT(FileImage::open(dir / "none.sdimg"), FailsWith(Code::not_found, "none.sdimg'"));
  EXPECT_THAT(FileImage::open(dir.path()), FailsWith(Code::invalid_input, "not a regular file"));
}

}  // namespace
}  // namespace imprint::image
