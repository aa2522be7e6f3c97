#include "imprint/base/text.hpp"

#include <array>
#include <filesystem>

#include <gtest/gtest.h>

namespace imprint {
namespace {

TEST(Quoted, ShowsOrdinaryTextAsItIs) {
  EXPECT_EQ(quoted("device-1"), "'device-1'");
  EXPECT_EQ(quoted(""), "''");
  EXPECT_EQ(quoted("Ærøskøbing 日本 🙂"), "'Ærøskøbing 日本 🙂'");
}

TEST(Quoted, EscapesWhatCouldBreakTheLineOrDeceive) {
  EXPECT_EQ(quoted("a\nb\rc\td"), R"('a\nb\rc\td')");
  EXPECT_EQ(quoted(std::string_view("\0\x1b\x7f", 3)), R"('\x00\x1b\x7f')");
  EXPECT_EQ(quoted("\xc2\x85"), R"('\u{85}')");
  EXPECT_EQ(quoted("\xe2\x80\xae"), R"('\u{202e}')");
  EXPECT_EQ(quoted("a\xff\xc3"), R"('a\xff\xc3')");
  EXPECT_EQ(quoted("it's \\n"), R"('it\'s \\n')");
}

TEST(Quoted, IsOursForEveryKindOfText) {
  std::string text = "a'b";
  const std::string constant = text;
  EXPECT_EQ(quoted(text), R"('a\'b')");
  EXPECT_EQ(quoted(constant), R"('a\'b')");
  EXPECT_EQ(quoted(std::string("a'b")), R"('a\'b')");
  EXPECT_EQ(quoted(std::filesystem::path("a'b")), R"('a\'b')");
}

TEST(Printable, IsQuotedWithoutTheQuotes) {
  EXPECT_EQ(printable("a'\n"), R"(a'\n)");
}

TEST(Nearest, FindsWhatWasMeant) {
  constexpr std::array<std::string_view, 6> kKeys = {"authority", "devices", "identity",
                                                     "image",     "output",  "mender_conf"};
  EXPECT_EQ(nearest("device", kKeys), "devices");
  EXPECT_EQ(nearest("devcies", kKeys), "devices");
  EXPECT_EQ(nearest("Image", kKeys), "image");
  EXPECT_EQ(nearest("authorithy", kKeys), "authority");
  EXPECT_EQ(nearest("mender-conf", kKeys), "mender_conf");
  EXPECT_EQ(nearest("outptu", kKeys), "output");
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  constexpr std::array<std::string_view, 3> kKeys = {"id", "image", "output"};
  EXPECT_EQ(nearest("colour", kKeys), std::nullopt);
  EXPECT_EQ(nearest("x", kKeys), std::nullopt);
  EXPECT_EQ(nearest("", kKeys), std::nullopt);
  EXPECT_EQ(nearest("image", {}), std::nullopt);
  EXPECT_EQ(nearest(std::string(1'000'000, 'i'), kKeys), std::nullopt);
}

TEST(Nearest, PrefersTheNearest) {
  constexpr std::array<std::string_view, 2> kKeys = {"days", "day"};
  EXPECT_EQ(nearest("dayss", kKeys), "days");
  EXPECT_EQ(nearest("dy", kKeys), "day");
}

TEST(Ascii, CaseIsFoldedForAsciiOnly) {
  EXPECT_EQ(to_lower_ascii("HttpsClient É@[`{"), "httpsclient É@[`{");
  EXPECT_TRUE(equal_ignoring_ascii_case("HTTPSCLIENT", "HttpsClient"));
  EXPECT_FALSE(equal_ignoring_ascii_case("É", "é"));
  EXPECT_FALSE(equal_ignoring_ascii_case("ab", "abc"));
  EXPECT_FALSE(equal_ignoring_ascii_case("[", "{"));
}

TEST(Position, CountsLinesAndColumnsFromOne) {
  const std::string_view text = "ab\ncd\n\nxyz";

  struct Row {
    std::size_t offset, line, column;
  };

  for (const Row row : {Row{0, 1, 1}, Row{2, 1, 3}, Row{3, 2, 1}, Row{6, 3, 1}, Row{7, 4, 1},
                        Row{9, 4, 3}, Row{10, 4, 4}, Row{99, 4, 4}}) {
    const TextPosition position = position_of(text, row.offset);
    EXPECT_EQ(position.line, row.line) << "offset " << row.offset;
    EXPECT_EQ(position.column, row.column) << "offset " << row.offset;
  }
}

}  // namespace
}  // namespace imprint
