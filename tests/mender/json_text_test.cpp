// The reader is tried through merge_conf, as its users meet it.
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/mender/conf.hpp"

namespace imprint::mender {
namespace {

using nlohmann::ordered_json;

std::string refusal(std::string_view text) {
  const auto result = merge_conf(text, ordered_json::object());
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, Code::invalid_input);
  return result.error().message();
}

TEST(ConfText, IsRefusedWithLineColumnAndReason) {
  struct Row {
    std::string text;
    const char* message;
  };

  const Row rows[] = {
      {"", "line 1, column 1: empty: write '{}' at least"},
      {" \n\t\r\n", "line 1, column 1: empty: write '{}' at least"},
      // What mender-convert's set-up for an own server writes when it is given no certificate.
      {"{\n  \"ServerURL\": \"https://x\",\n}\n", "line 2, column 27: comma before '}': remove it"},
      {"{\"a\": [1,\n2 , ]}", "line 2, column 3: comma before ']': remove it"},
      {"{\n  \"a\": 1\n  \"b\": 2\n}",
       "line 3, column 3: ',' or '}' should be here instead of '\"'"},
      {"{\"a\": [1 2]}", "line 1, column 10: ',' or ']' should be here instead of '2'"},
      {"{\"a\" 1}", "line 1, column 6: ':' after a key should be here instead of '1'"},
      {"{a: 1}", "line 1, column 2: a key in double quotes should be here instead of 'a'"},
      {"{'a': 1}", "line 1, column 2: a key in double quotes should be here instead of '\\''"},
      {"{,}", "line 1, column 2: a key in double quotes should be here instead of ','"},
      {"{\"a\": }", "line 1, column 7: a value should be here instead of '}'"},
      {"{\"a\": é}", "line 1, column 7: a value should be here instead of 'é'"},
      {"// my settings\n{}", "line 1, column 1: JSON has no comments: remove this one"},
      {"{\"a\": 1, # one\n\"b\": 2}", "line 1, column 10: JSON has no comments: remove this one"},
      {"{\"a\": 1 /* one */}", "line 1, column 9: JSON has no comments: remove this one"},
      {"{\"a\": 1", "line 1, column 8: the text ends where ',' or '}' should be"},
      {"{", "line 1, column 2: the text ends where a key in double quotes should be"},
      {"{\"a\":\n", "line 2, column 1: the text ends where a value should be"},
      {"{}\n}", "line 2, column 1: the end of the text should be here instead of '}'"},
      {"[1]", "line 1, column 1: a JSON object is needed here, in braces"},
      {"\n null", "line 2, column 2: a JSON object is needed here, in braces"},
      {"{\"a\": \"open}", "line 1, column 7: string without closing quote"},
      {"{\"a\": \"x\\", "line 1, column 7: string without closing quote"},
      {"{\"a\": \"two\nlines\"}",
       "line 1, column 11: line break or control character in a string: close the string or write "
       "an escape"},
      {"{\"a\": \"\\x41\"}", "line 1, column 7: string with an invalid escape"},
      {"{\"a\": \"\\ud800\"}", "line 1, column 7: string with an invalid escape"},
      {"{\"a\": True}",
       "line 1, column 7: 'True' is no value: texts need double quotes, numbers are decimal and "
       "finite"},
      {"{\"TenantToken\": eyJhbGciOi}",
       "line 1, column 17: this is no value: texts need double quotes, numbers are decimal and "
       "finite"},
      {"{\"a\": 010}",
       "line 1, column 7: '010' is no value: texts need double quotes, numbers are decimal and "
       "finite"},
      {"{\"a\": 1e999}",
       "line 1, column 7: '1e999' is no value: texts need double quotes, numbers are decimal and "
       "finite"},
      {"\xEF\xBB\xBF{}",
       "line 1, column 1: byte order mark, which clients before 4.0 refuse: remove it"},
      {"{\n\"a\": \"\xC3\"}", "line 2, column 7: invalid UTF-8"},
      {std::string("{}\0", 3),
       "line 1, column 3: the end of the text should be here instead of '\\x00'"},
      {"{\"a\":" + std::string(300, '[') + std::string(300, ']') + "}",
       "line 1, column 206: more than 200 levels deep"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(refusal(row.text), row.message);
}

TEST(ConfText, OfAHundredThousandBracketsIsRefusedWithoutExhaustingTheStack) {
  EXPECT_EQ(refusal("{\"a\":" + std::string(100'000, '[')),
            "line 1, column 206: more than 200 levels deep");
}

// nlohmann's parser is the judge: it is the one of the clients from 4.0 on.
TEST(ConfText, IsAcceptedExactlyWhenTheClientsParserAcceptsIt) {
  const std::string seed =
      R"({"a": [1, -2.5e+3, 0, true, false, null, {}], "\u00e9\ud83d\ude00": "x\n\\\"/", "O": {"k": "v" , "l": []}})";
  const std::string_view bytes = "{}[]:,\"\\ \n\t0123456789+-.eEtfnulrasx/#'\xC3\xA9\x01\x7F";
  std::mt19937 random(20240715);
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };

  int accepted = 0;
  constexpr int kTexts = 12'000;
  for (int i = 0; i < kTexts; ++i) {
    std::string text = seed;
    for (std::size_t edits = 1 + below(2); edits > 0; --edits) {
      const std::size_t at = below(text.size());
      const char byte = bytes[below(bytes.size())];
      switch (below(4)) {
        case 0:
          text.insert(at, 1, byte);
          break;
        case 1:
          text.erase(at, 1 + below(3));
          break;
        case 2:
          text[at] = byte;
          break;
        default:
          text.insert(below(text.size()), text.substr(at, below(8)));
          break;
      }
    }
    const ordered_json judged = ordered_json::parse(text, nullptr, false);
    const bool right = !judged.is_discarded() && judged.is_object();
    const std::string verdict = refusal(text);
    ASSERT_EQ(verdict == "accepted", right) << text << "\n" << verdict;
    accepted += right ? 1 : 0;
  }
  // The mutations must keep both answers frequent, or the comparison says nothing.
  EXPECT_GT(accepted, kTexts / 10);
  EXPECT_LT(accepted, kTexts * 9 / 10);
}

}  // namespace
}  // namespace imprint::mender
