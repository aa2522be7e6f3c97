#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "imprint/golden/golden.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::golden {
namespace {

constexpr std::size_t kBlock = 4096;

crypto::Sha256Digest digest_of_file(const fs::path& path) {
  return content_digest(image::FileImage::open(path).value()).value();
}

std::string number(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i)
    bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

/// The definition, word for word, on a text in memory.
crypto::Sha256Digest expected(const std::string& content) {
  std::string hashed = number(content.size());
  for (std::size_t at = 0; at < content.size(); at += kBlock) {
    const std::string block = content.substr(at, kBlock);
    if (block.find_first_not_of('\0') != std::string::npos) hashed += number(at) + block;
  }
  return crypto::sha256(bytes_of(hashed));
}

class ContentDigest : public testing::Test {
 protected:
  imprint::test::TempDir dir_;
};

TEST_F(ContentDigest, CoversSizeOffsetsAndBlocksThatAreNotZero) {
  std::string content(3 << 20, '\0');
  content[0] = 'a';
  content[5 * kBlock + 17] = 'b';
  content.replace(1 << 20, 300'000, std::string(300'000, 'c'));
  content += "a last block that is not whole";
  EXPECT_EQ(digest_of_file(dir_.write("image", content)), expected(content));
}

TEST_F(ContentDigest, DoesNotSeeHoles) {
  std::string content(1 << 20, '\0');
  content.replace(600'000, 5000, std::string(5000, 'x'));
  const auto zeros = dir_.write("zeros", content);
  const auto holes = dir_.write("holes", "");
  fs::resize_file(holes, content.size());
  auto file = File::open_read_write(holes).value();
  ASSERT_THAT(file.write_all(600'000, bytes_of(std::string(5000, 'x'))), imprint::test::IsOk());
  EXPECT_EQ(digest_of_file(zeros), digest_of_file(holes));
  EXPECT_EQ(digest_of_file(holes), expected(content));
}

TEST_F(ContentDigest, SeesWhereBytesAre) {
  std::string first(4 * kBlock, '\0');
  std::string second = first;
  first[kBlock] = 'x';
  second[2 * kBlock] = 'x';
  EXPECT_NE(digest_of_file(dir_.write("1", first)), digest_of_file(dir_.write("2", second)));
}

TEST_F(ContentDigest, SeesTheSizeOfAnEmptyImage) {
  EXPECT_NE(digest_of_file(dir_.write("1", std::string(kBlock, '\0'))),
            digest_of_file(dir_.write("2", std::string(2 * kBlock, '\0'))));
}

TEST_F(ContentDigest, SeesAByteAtTheEndOfAPartialBlock) {
  std::string content(kBlock + 10, '\0');
  content.back() = 'x';
  EXPECT_EQ(digest_of_file(dir_.write("image", content)), expected(content));
}

}  // namespace
}  // namespace imprint::golden
