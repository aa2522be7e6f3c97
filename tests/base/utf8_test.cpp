#include "imprint/base/utf8.hpp"

#include <gtest/gtest.h>

#include "support/command.hpp"

namespace imprint::utf8 {
namespace {

std::string encoded(char32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | (c >> 6)), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | (c >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | (c >> 18)), tail(12), tail(6), tail(0)};
}

TEST(Utf8, AcceptsEveryScalarValueAndNoSurrogate) {
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    const bool surrogate = c >= 0xd800 && c <= 0xdfff;
    ASSERT_EQ(first_invalid(encoded(c)).has_value(), surrogate) << "U+" << std::hex << unsigned(c);
  }
}

TEST(Utf8, NamesTheByteOfTheFirstInvalidSequence) {
  struct Row {
    const char* why;
    std::string_view text;
    std::size_t offset;
  };

  const Row rows[] = {
      {"continuation alone", "a\x80", 1},
      {"overlong slash, two bytes", "ab\xc0\xaf", 2},
      {"overlong slash, three bytes", "\xe0\x80\xaf", 0},
      {"overlong slash, four bytes", "\xf0\x80\x80\xaf", 0},
      {"overlong NUL", "\xc0\x80", 0},
      {"largest overlong, two bytes", "\xc1\xbf", 0},
      {"largest overlong, three bytes", "\xe0\x9f\xbf", 0},
      {"largest overlong, four bytes", "\xf0\x8f\xbf\xbf", 0},
      {"first surrogate", "\xed\xa0\x80", 0},
      {"last surrogate", "\xed\xbf\xbf", 0},
      {"CESU-8 pair", "x\xed\xa0\xbd\xed\xb8\x80", 1},
      {"over U+10FFFF", "\xf4\x90\x80\x80", 0},
      {"five bytes", "\xf8\x88\x80\x80\x80", 0},
      {"0xfe", "\xfe", 0},
      {"0xff", "\xff", 0},
      {"cut at the end, two bytes", "abc\xc3", 3},
      {"cut at the end, three bytes", "\xe2\x82", 0},
      {"cut at the end, four bytes", "\xf0\x9f\x99", 0},
      {"cut in the middle", "\xe2\x82z", 0},
      {"Latin-1", "\xd8stfold", 0},
      {"after valid text", "\xc3\xa6\xe2\x82\xac\xff", 5},
  };
  for (const Row& row : rows)
    EXPECT_EQ(first_invalid(row.text), row.offset) << row.why;
}

TEST(Utf8, AgreesWithIconv) {
  IMPRINT_NEED_COMMAND("iconv");
  const std::string_view texts[] = {
      "plain", "\xc3\xa6\xf0\x9f\x99\x82", "\xc0\xaf", "\xed\xa0\x80", "a\xff", "\xe2\x82"};
  for (const std::string_view text : texts) {
    // To UTF-32, because iconv copies UTF-8 to UTF-8 with less care.
    const auto iconv = test::run_command({"iconv", "-f", "UTF-8", "-t", "UTF-32"}, text);
    EXPECT_EQ(!first_invalid(text).has_value(), iconv.status == 0) << text;
  }
}

TEST(Utf8, LengthCountsCodePoints) {
  EXPECT_EQ(length(""), 0U);
  EXPECT_EQ(length("abc"), 3U);
  EXPECT_EQ(length("æ€🙂"), 3U);
}

TEST(Utf8, ForbiddenCharactersAreNamed) {
  struct Row {
    char32_t code_point;
    std::string_view reason;
  };

  const Row rows[] = {
      {0x00, "U+0000 (control character)"},       {0x0a, "U+000A (control character)"},
      {0x1f, "U+001F (control character)"},       {0x7f, "U+007F (control character)"},
      {0x80, "U+0080 (control character)"},       {0x9f, "U+009F (control character)"},
      {0x061c, "U+061C (bidirectional control)"}, {0x200e, "U+200E (bidirectional control)"},
      {0x200f, "U+200F (bidirectional control)"}, {0x202a, "U+202A (bidirectional control)"},
      {0x202e, "U+202E (bidirectional control)"}, {0x2066, "U+2066 (bidirectional control)"},
      {0x2069, "U+2069 (bidirectional control)"}, {0x2028, "U+2028 (line separator)"},
      {0x2029, "U+2029 (paragraph separator)"},   {0xfeff, "U+FEFF (byte order mark)"},
      {0xfdd0, "U+FDD0 (noncharacter)"},          {0xfdef, "U+FDEF (noncharacter)"},
      {0xfffe, "U+FFFE (noncharacter)"},          {0xffff, "U+FFFF (noncharacter)"},
      {0x1fffe, "U+1FFFE (noncharacter)"},        {0x10ffff, "U+10FFFF (noncharacter)"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(forbidden_character("ok" + encoded(row.code_point)), std::string(row.reason));
  }
}

TEST(Utf8, NeighboursOfForbiddenCharactersAreAllowed) {
  constexpr char32_t kAllowed[] = {0x20,   0x7e,   0xa0,   0x061b, 0x200d, 0x2027, 0x202f,
                                   0x2065, 0x206a, 0xfdcf, 0xfdf0, 0xfffd, 0x1f642};
  for (const char32_t c : kAllowed) {
    EXPECT_EQ(forbidden_character(encoded(c)), std::nullopt) << std::hex << unsigned(c);
  }
}

}  // namespace
}  // namespace imprint::utf8
