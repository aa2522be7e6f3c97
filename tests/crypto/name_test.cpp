#include "imprint/crypto/name.hpp"

#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;

constexpr std::array kAllFields = {
    NameField::common_name,   NameField::organization, NameField::organizational_unit,
    NameField::country,       NameField::state,        NameField::locality,
    NameField::email_address, NameField::serial_number};

std::string repeat(std::string_view part, int times) {
  std::string whole;
  for (int i = 0; i < times; ++i)
    whole += part;
  return whole;
}

TEST(NameField, WordsAreReadBack) {
  for (const NameField field : kAllFields) {
    const auto parsed = parse_name_field(word(field));
    ASSERT_THAT(parsed, IsOk());
    EXPECT_EQ(*parsed, field);
  }
}

TEST(NameField, SuggestsTheNearestWord) {
  EXPECT_THAT(parse_name_field("emailAdress"),
              FailsWith(Code::invalid_input,
                        "'emailAdress' is no subject attribute; did you mean 'emailAddress'?"));
  EXPECT_THAT(parse_name_field("somethingElse"),
              FailsWith(Code::invalid_input, "known are CN, O, OU, C"));
}

struct Bad {
  NameField field;
  std::string value;
  std::string message;
};

class RefusedName : public testing::TestWithParam<Bad> {};

TEST_P(RefusedName, SaysTheRule) {
  EXPECT_THAT(check_name_value(GetParam().field, GetParam().value),
              FailsWith(Code::invalid_input, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Names, RefusedName,
    testing::Values(
        Bad{NameField::common_name, "", "CN is empty"},
        Bad{NameField::common_name, std::string(65, 'a'),
            "65 characters; a CN may have at most 64 (RFC 5280)"},
        Bad{NameField::organization, std::string(65, 'a'),
            "65 characters; an O may have at most 64 (RFC 5280)"},
        Bad{NameField::organizational_unit, std::string(65, 'a'),
            "65 characters; an OU may have at most 64"},
        Bad{NameField::serial_number, std::string(65, '1'),
            "65 characters; a serialNumber may have at most 64"},
        Bad{NameField::state, std::string(129, 'a'), "129 characters; a ST may have at most 128"},
        Bad{NameField::locality, std::string(129, 'a'), "129 characters; a L may have at most 128"},
        Bad{NameField::email_address, std::string(120, 'a') + "@b.exampl",
            "129 characters; an emailAddress may have at most 128"},
        Bad{NameField::common_name, repeat("\xc3\xa6", 65), "65 characters"},
        Bad{NameField::country, "NOR",
            "'NOR' is no country; C takes the two capital letters of ISO 3166"},
        Bad{NameField::country, "no", "'no' is no country"},
        Bad{NameField::country, "\xc3\x98", "is no country"},
        Bad{NameField::common_name, std::string("dev\0ice", 7), "CN holds"},
        Bad{NameField::common_name, "two\nlines", "CN holds"},
        Bad{NameField::common_name, "tab\t", "CN holds"},
        Bad{NameField::common_name, "del\x7f", "CN holds"},
        Bad{NameField::common_name, "c1\xc2\x85", "CN holds"},
        Bad{NameField::common_name, "bidi\xe2\x80\xae", "CN holds U+202E"},
        Bad{NameField::common_name, "iso\xe2\x81\xa6", "CN holds U+2066"},
        Bad{NameField::common_name, "mark\xe2\x80\x8f", "CN holds U+200F"},
        Bad{NameField::common_name,
            "\xef\xbb\xbf"
            "bom",
            "CN holds U+FEFF"},
        Bad{NameField::common_name, "sep\xe2\x80\xa8", "CN holds U+2028"},
        Bad{NameField::common_name, "non\xef\xbf\xbf", "CN holds U+FFFF"},
        Bad{NameField::common_name, "over\xc0\xaf", "CN is not valid UTF-8 at byte 5"},
        Bad{NameField::common_name, "sur\xed\xa0\x80", "CN is not valid UTF-8 at byte 4"},
        Bad{NameField::common_name, "cut\xc3", "CN is not valid UTF-8 at byte 4"},
        Bad{NameField::serial_number, "SN_1",
            "'SN_1' has a character that serialNumber cannot hold"},
        Bad{NameField::serial_number, "SN\xc3\xa6", "serialNumber cannot hold"},
        Bad{NameField::email_address, "ops\xc3\xa6@example.com", "is no mail address"},
        Bad{NameField::email_address, "not a mail address", "it has no '@'"}));

TEST(NameValue, CountsCharactersNotBytes) {
  EXPECT_THAT(check_name_value(NameField::common_name, repeat("\xc3\xa6", 64)), IsOk());
  EXPECT_THAT(check_name_value(NameField::common_name, repeat("\xf0\x9f\x94\x91", 64)), IsOk());
  EXPECT_THAT(check_name_value(NameField::state, std::string(128, 'a')), IsOk());
}

TEST(NameValue, AcceptsWhatIsOnlyDataHere) {
  EXPECT_THAT(check_name_value(NameField::common_name, "/CN=evil"), IsOk());
  EXPECT_THAT(check_name_value(NameField::common_name, "a, b + c = \"d\""), IsOk());
  EXPECT_THAT(check_name_value(NameField::serial_number, "A-1 '()+,./:=?"), IsOk());
  EXPECT_THAT(check_name_value(NameField::country, "NO"), IsOk());
  // Composed and decomposed, as the input has it: docs/bad-input.md says why.
  EXPECT_THAT(check_name_value(NameField::organization, "Bod\xc3\xb8"), IsOk());
  EXPECT_THAT(check_name_value(NameField::organization, "cafe\xcc\x81"), IsOk());
}

}  // namespace
}  // namespace imprint::crypto
