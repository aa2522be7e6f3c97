#include "imprint/image/canvas.hpp"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::TempDir;

/// An image in memory, with a size that is no multiple of anything.
class MemoryImage final : public ImageReader {
 public:
  explicit MemoryImage(std::size_t size) : content_(size) {
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same bytes every time
    for (std::byte& byte : content_)
      byte = static_cast<std::byte>(random());
  }

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return content_.size(); }

  Result<> read(std::uint64_t offset, MutableBytes into) const override {
    if (offset + into.size() > content_.size()) return fail(Code::internal, "read beyond the end");
    std::copy_n(content_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return {};
  }

  [[nodiscard]] const fs::path& path() const noexcept override { return path_; }

  [[nodiscard]] const Bytes& content() const noexcept { return content_; }

 private:
  Bytes content_;
  fs::path path_ = "memory.img";
};

[[nodiscard]] Bytes read_all(const ImageReader& image) {
  Bytes bytes(image.size_bytes());
  EXPECT_THAT(image.read(0, bytes), IsOk());
  return bytes;
}

[[nodiscard]] Bytes applied(Bytes image, const Patch& patch) {
  for (const Write& write : patch.writes)
    std::copy(write.bytes.begin(), write.bytes.end(),
              image.begin() + static_cast<std::ptrdiff_t>(write.offset));
  return image;
}

[[nodiscard]] Bytes random_bytes(std::mt19937& random, std::size_t size) {
  Bytes bytes(size);
  for (std::byte& byte : bytes)
    byte = static_cast<std::byte>(random() % 3);  // often equal to what is there
  return bytes;
}

void expect_in_order(const Patch& patch) {
  for (std::size_t i = 1; i < patch.writes.size(); ++i) {
    const Write& before = patch.writes[i - 1];
    EXPECT_GT(patch.writes[i].offset, before.offset + before.bytes.size());
  }
}

TEST(Canvas, IsTheBaseUntilItIsWrittenTo) {
  const MemoryImage base(10'007);
  const Canvas canvas(base);
  EXPECT_EQ(read_all(canvas), base.content());
  const auto patch = canvas.patch();
  ASSERT_THAT(patch, IsOk());
  EXPECT_TRUE(patch->writes.empty());
}

TEST(Canvas, ReadsWhatWasWrittenAndTheBaseAround) {
  const MemoryImage base(10'007);
  std::mt19937 random(2);  // NOLINT(cert-msc51-cpp)
  Bytes expected = base.content();
  Canvas canvas(base);
  for (int round = 0; round < 200; ++round) {
    const std::size_t offset = random() % expected.size();
    const Bytes bytes =
        random_bytes(random, random() % std::min<std::size_t>(3000, expected.size() - offset + 1));
    ASSERT_THAT(canvas.write(offset, bytes), IsOk());
    std::copy(bytes.begin(), bytes.end(), expected.begin() + static_cast<std::ptrdiff_t>(offset));
    const std::size_t from = random() % expected.size();
    Bytes part(random() % (expected.size() - from + 1));
    ASSERT_THAT(canvas.read(from, part), IsOk());
    ASSERT_TRUE(
        std::equal(part.begin(), part.end(), expected.begin() + static_cast<std::ptrdiff_t>(from)));
  }
  EXPECT_EQ(read_all(canvas), expected);
  const auto patch = canvas.patch();
  ASSERT_THAT(patch, IsOk());
  expect_in_order(*patch);
  EXPECT_EQ(applied(base.content(), *patch), expected);
}

TEST(Canvas, PatchHoldsOnlyWhatDiffers) {
  const MemoryImage base(8192);
  Canvas canvas(base);
  ASSERT_THAT(canvas.write(1000, ByteView(base.content()).subspan(1000, 4000)), IsOk());
  ASSERT_TRUE(canvas.patch()->writes.empty()) << "bytes equal to the base are no difference";

  const std::byte other = ~base.content()[2000];
  ASSERT_THAT(canvas.write(2000, ByteView(&other, 1)), IsOk());
  const auto patch = canvas.patch();
  ASSERT_THAT(patch, IsOk());
  ASSERT_EQ(patch->writes.size(), 1U);
  EXPECT_EQ(patch->writes[0].offset, 2000U);
  EXPECT_EQ(patch->total_bytes(), 1U);
}

TEST(Canvas, PatchJoinsRunsWithASmallGapAndAcrossChunks) {
  const MemoryImage base(8192);
  Bytes changed = base.content();
  for (const std::size_t at : {100U, 115U, 132U, 1023U, 1024U})
    changed[at] = ~changed[at];
  Canvas canvas(base);
  ASSERT_THAT(canvas.write(0, changed), IsOk());
  const auto patch = canvas.patch();
  ASSERT_THAT(patch, IsOk());
  ASSERT_EQ(patch->writes.size(), 3U);
  EXPECT_EQ(patch->writes[0].offset, 100U);
  EXPECT_EQ(patch->writes[0].bytes.size(), 16U)
      << "14 equal bytes are written with their neighbours";
  EXPECT_EQ(patch->writes[1].offset, 132U) << "16 equal bytes are a gap";
  EXPECT_EQ(patch->writes[2].offset, 1023U);
  EXPECT_EQ(patch->writes[2].bytes.size(), 2U) << "neighbours in two chunks are one write";
}

TEST(Canvas, PatchFromAnotherCanvasLeadsFromItsImageToThisOne) {
  const MemoryImage base(10'007);
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp)
  Canvas one(base);
  Canvas two(base);
  for (int round = 0; round < 40; ++round) {
    for (Canvas* canvas : {&one, &two}) {
      const std::size_t offset = random() % 9000;
      ASSERT_THAT(canvas->write(offset, random_bytes(random, random() % 300)), IsOk());
    }
  }
  const auto patch = two.patch_from(one);
  ASSERT_THAT(patch, IsOk());
  expect_in_order(*patch);
  EXPECT_EQ(applied(read_all(one), *patch), read_all(two));
}

TEST(Canvas, LiesOverAnotherCanvas) {
  const MemoryImage base(4096);
  Canvas lower(base);
  ASSERT_THAT(lower.write(10, bytes_of("lower")), IsOk());
  const ImageReader& lower_image = lower;
  Canvas upper(lower_image);
  ASSERT_THAT(upper.write(12, bytes_of("UP")), IsOk());
  Bytes seen(5);
  ASSERT_THAT(upper.read(10, seen), IsOk());
  EXPECT_EQ(text_of(seen), "loUPr");
  EXPECT_EQ(upper.patch()->total_bytes(), 2U);
}

TEST(Canvas, RefusesToGoBeyondTheEndOfTheImage) {
  const MemoryImage base(3000);
  Canvas canvas(base);
  Bytes bytes(2);
  EXPECT_THAT(canvas.write(2998, bytes), IsOk());
  EXPECT_THAT(canvas.write(2999, bytes),
              FailsWith(Code::corrupt, "'memory.img' has 3000 bytes; 2 bytes at 2999 lie beyond"));
  EXPECT_THAT(canvas.read(2999, bytes), FailsWith(Code::corrupt, "lie beyond its end"));
  EXPECT_THAT(canvas.read(~std::uint64_t{0}, bytes), FailsWith(Code::corrupt, "beyond its end"));
}

TEST(Canvas, RefusesToCompareCanvasesOverDifferentImages) {
  const MemoryImage base(3000);
  const MemoryImage other(3000);
  const Canvas one(base);
  const Canvas two(other);
  EXPECT_THAT(one.patch_from(two), FailsWith(Code::internal, "over different images"));
}

}  // namespace
}  // namespace imprint::image
