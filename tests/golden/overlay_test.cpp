#include "imprint/golden/overlay.hpp"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::golden {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;

Overlay example() {
  Overlay overlay;
  overlay.add(300, bytes_of("xyz"));
  overlay.add(5, bytes_of("key"));
  overlay.finish();
  return overlay;
}

std::string serialized(const Overlay& overlay) {
  crypto::SecretBytes bytes;
  overlay.serialize(bytes);
  return std::string(text_of(bytes.view()));
}

TEST(Overlay, SortsItsPieces) {
  const Overlay overlay = example();
  ASSERT_EQ(overlay.pieces().size(), 2U);
  EXPECT_EQ(overlay.pieces()[0].offset, 5U);
  EXPECT_EQ(text_of(overlay.bytes_of(overlay.pieces()[0])), "key");
  EXPECT_EQ(text_of(overlay.bytes_of(overlay.pieces()[1])), "xyz");
  EXPECT_EQ(overlay.total_bytes(), 6U);
}

TEST(Overlay, HasTheDocumentedForm) {
  // Two pieces; 5 from the start, 3 bytes; 292 (0x124) after the end of the first, 3 bytes.
  const std::string expected = std::string("\x02\x05\x03key\xA4\x02\x03xyz", 12);
  EXPECT_EQ(serialized(example()), expected);
}

TEST(Overlay, ComesBackFromItsDurableForm) {
  Overlay overlay;
  overlay.add(std::uint64_t{7} << 40, bytes_of("far away"));
  overlay.add(1024, bytes_of(std::string(3000, 'a')));
  overlay.add(1024 + 3000, bytes_of("right behind"));
  overlay.finish();
  Overlay again;
  again.add(1, bytes_of("to be replaced"));
  ASSERT_THAT(again.parse(bytes_of(serialized(overlay))), IsOk());
  ASSERT_EQ(again.pieces().size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again.pieces()[i].offset, overlay.pieces()[i].offset);
    EXPECT_EQ(text_of(again.bytes_of(again.pieces()[i])),
              text_of(overlay.bytes_of(overlay.pieces()[i])));
  }
}

TEST(Overlay, MayBeEmpty) {
  Overlay overlay;
  overlay.finish();
  EXPECT_EQ(serialized(overlay), std::string(1, '\0'));
  EXPECT_THAT(overlay.parse(bytes_of(std::string_view("\0", 1))), IsOk());
}

TEST(Overlay, IsHashedAsItIsStored) {
  crypto::Sha256 hasher;
  EXPECT_EQ(example().digest(hasher), crypto::sha256(bytes_of(serialized(example()))));
}

TEST(Overlay, KeepsNothingOfAnEarlierDevice) {
  Overlay overlay = example();
  overlay.clear();
  overlay.add(9, bytes_of("new"));
  overlay.finish();
  EXPECT_EQ(serialized(overlay), std::string("\x01\x09\x03new", 6));
}

TEST(Overlay, WritesItsPiecesAndNothingElse) {
  const imprint::test::TempDir dir;
  const auto path = dir.write("image", std::string(310, '.'));
  {
    auto file = File::open_read_write(path).value();
    ASSERT_THAT(example().apply(file), IsOk());
  }
  std::string expected(310, '.');
  expected.replace(5, 3, "key");
  expected.replace(300, 3, "xyz");
  EXPECT_EQ(imprint::test::slurp(path), expected);
}

struct Malformed {
  std::string name;
  std::string bytes;
  std::string message;
};

class OverlayParse : public testing::TestWithParam<Malformed> {};

TEST_P(OverlayParse, RefusesWhatSerializeCannotHaveWritten) {
  Overlay overlay = example();
  EXPECT_THAT(overlay.parse(bytes_of(GetParam().bytes)),
              FailsWith(Code::corrupt, "damaged overlay: " + GetParam().message));
  EXPECT_EQ(serialized(overlay), serialized(example())) << "unchanged on failure";
}

std::string raw(std::initializer_list<unsigned> bytes) {
  std::string text;
  for (const unsigned byte : bytes)
    text += static_cast<char>(byte);
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    Table, OverlayParse,
    testing::Values(
        Malformed{"Nothing", "", "no number of pieces"},
        Malformed{"EndlessCount", raw({0x80}), "no number of pieces"},
        Malformed{"LongFormOfZero", raw({0x80, 0x00}), "no number of pieces"},
        Malformed{"LongFormOfOne", raw({0x81, 0x00, 0, 1, 'x'}), "no number of pieces"},
        Malformed{"CountOver64Bits",
                  raw({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}),
                  "no number of pieces"},
        Malformed{"CountOf2To63", raw({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}),
                  "more pieces than it has bytes for"},
        Malformed{"MorePiecesThanBytes", raw({2, 0, 1, 'x'}), "more pieces than it has bytes for"},
        Malformed{"NoOffset", raw({1, 0x80, 0x80, 0x80}), "an offset is no number"},
        Malformed{"NoLength", raw({1, 0, 0x80, 0x80}), "a length is no number"},
        Malformed{"EmptyPiece", raw({1, 0, 0, 'x'}), "a piece is empty"},
        Malformed{"CutOff", raw({1, 0, 3, 'x', 'y'}), "it is cut off"},
        Malformed{"HugeLength", raw({1, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 'x'}), "it is cut off"},
        Malformed{"OffsetBeyondAnyFile",
                  raw({1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 'x'}),
                  "an offset is too large"},
        Malformed{"SecondOffsetBeyondAnyFile",
                  raw({2, 0, 1, 'x', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 'x'}),
                  "an offset is too large"},
        Malformed{"BytesBehind", raw({1, 0, 1, 'x', 'y'}), "there are bytes after its end"}),
    [](const auto& tested) { return tested.param.name; });

TEST(Overlay, HasOneDurableFormOnly) {
  // Every damage of one byte is either refused, or makes another overlay with exactly that form.
  const std::string good = serialized(example());
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string damaged = good;
      damaged[i] = static_cast<char>(value);
      Overlay overlay;
      if (overlay.parse(bytes_of(damaged)).has_value()) {
        EXPECT_EQ(serialized(overlay), damaged);
      }
    }
    Overlay overlay;
    EXPECT_THAT(overlay.parse(bytes_of(good.substr(0, i))), FailsWith(Code::corrupt));
  }
}

}  // namespace
}  // namespace imprint::golden
