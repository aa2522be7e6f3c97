#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/mender/conf.hpp"
#include "imprint/mender/paths.hpp"
#include "support/matchers.hpp"

namespace imprint::mender {
namespace {

using nlohmann::ordered_json;
using test::FailsWith;

/// The merged text, or the error's message, so that a failing test shows it.
std::string merged(std::string_view existing, const char* settings) {
  const auto result = merge_conf(existing, ordered_json::parse(settings));
  return result ? *result : "ERROR: " + result.error().message();
}

// mender.conf.production of Debian's mender-client 3.4.0.
constexpr const char* kDebianProduction = R"({
  "InventoryPollIntervalSeconds": 28800,
  "RetryPollIntervalSeconds": 300,
  "ServerURL": "https://hosted.mender.io/",
  "TenantToken": "Paste your Mender Professional token here",
  "UpdatePollIntervalSeconds": 1800
}
)";

TEST(MergeConf, GivesDebiansExampleItsIdentityAndServer) {
  const std::string with_server =
      merged(kDebianProduction, R"({"ServerURL": "https://mtls.example.com"})");
  const auto result =
      merge_conf(with_server, identity_settings(kDefaultCertificatePath, kDefaultKeyPath));
  ASSERT_THAT(result, test::IsOk());
  EXPECT_EQ(*result, R"({
  "InventoryPollIntervalSeconds": 28800,
  "RetryPollIntervalSeconds": 300,
  "ServerURL": "https://mtls.example.com",
  "TenantToken": "Paste your Mender Professional token here",
  "UpdatePollIntervalSeconds": 1800,
  "HttpsClient": {
    "Certificate": "/data/mender/mender-cert.pem",
    "Key": "/data/mender/mender-cert-private.pem"
  },
  "Security": {
    "AuthPrivateKey": "/data/mender/mender-cert-private.pem"
  }
}
)");
}

TEST(MergeConf, StartsFromAnEmptyObject) {
  EXPECT_EQ(merged("{}\n", R"({"A": {"B": [1, 2], "C": {}}, "D": []})"), R"({
  "A": {
    "B": [
      1,
      2
    ],
    "C": {}
  },
  "D": []
}
)");
}

TEST(MergeConf, ChangesNothingWhereNothingIsNew) {
  const std::string odd =
      "\n {\"a\" :1.50 ,\t\"b\":[ ] , \"c\": \"\\u00e9\\/\"\n , \"D\":{ } }\r\n\n";
  EXPECT_EQ(merged(odd, "{}"), odd);
  EXPECT_EQ(merged(odd, R"({"A": 1.5, "b": [], "c": "é/", "d": {}, "e": null})"), odd);
}

TEST(MergeConf, ReplacesOneValueAndLeavesTheRestOfTheTextAlone) {
  EXPECT_EQ(
      merged(
          R"({"n": 1e3, "big": 123456789012345678901234567890, "f": 1.50, "s": "\u00e9&<>", "x": 1})",
          R"({"X": 2})"),
      R"({"n": 1e3, "big": 123456789012345678901234567890, "f": 1.50, "s": "\u00e9&<>", "x": 2})");
}

TEST(MergeConf, WritesTextAsAPersonWould) {
  EXPECT_EQ(merged("{}", "{\"Ü&<>/\": \"é\u20ac\\n\\\"\\\\ \\u007f\"}"),
            "{\n  \"Ü&<>/\": \"é\u20ac\\n\\\"\\\\ \x7f\"\n}");
}

TEST(MergeConf, TellsAnIntegerFromTheSameNumberWithAPoint) {
  EXPECT_EQ(merged(R"({"Seconds": 60.0})", R"({"Seconds": 60})"), R"({"Seconds": 60})");
  EXPECT_EQ(merged(R"({"Flag": 1})", R"({"Flag": true})"), R"({"Flag": true})");
}

TEST(MergeConf, MatchesKeysIgnoringCaseAndKeepsTheirSpelling) {
  EXPECT_EQ(
      merged(R"({"httpsclient": {"CERTIFICATE": "old", "SSLEngine": "e"}, "SERVERURL": "u"})",
             R"({"HttpsClient": {"Certificate": "new", "Key": "k"}, "ServerURL": "v"})"),
      R"({"httpsclient": {"CERTIFICATE": "new", "SSLEngine": "e", "Key": "k"}, "SERVERURL": "v"})");
}

TEST(MergeConf, MatchesKeysThatAreWrittenWithEscapes) {
  EXPECT_EQ(merged(R"({"Server\u0055RL": "u"})", R"({"serverurl": "v"})"),
            R"({"Server\u0055RL": "v"})");
}

TEST(MergeConf, LeavesLettersOutsideAsciiDistinct) {
  // Go's folding would take U+017F for an s; no setting has such a name.
  EXPECT_EQ(merged("{\"\u017ferverurl\": 1}", R"({"ServerURL": 2})"),
            "{\"\u017ferverurl\": 1, \"ServerURL\": 2}");
}

TEST(MergeConf, CollapsesTwinsOfAMergedKeyIntoTheFirst) {
  EXPECT_EQ(merged(R"({"serverurl": "1", "x": 0, "ServerURL": "2", "SERVERURL": "3"})",
                   R"({"ServerURL": "new"})"),
            R"({"serverurl": "new", "x": 0})");
  EXPECT_EQ(merged(R"({"a": 1, "a": 2, "A": 3})", R"({"a": 3})"), R"({"a": 3})");
}

TEST(MergeConf, UnitesTheSubKeysOfTwinsAndLetsTheLastCount) {
  EXPECT_EQ(merged(R"({
  "HttpsClient": {"Certificate": "1", "SSLEngine": "e1", "Extra": 1.50, "Gone": null},
  "Between": 0,
  "httpsclient": {"certificate": "2", "sslengine": "e2"}
})",
                   R"({"HttpsClient": {"Key": "k"}})"),
            R"({
  "HttpsClient": {"certificate": "2", "sslengine": "e2", "Key": "k", "Extra": 1.5},
  "Between": 0
})");
  EXPECT_EQ(merged(R"({"s": {"A": 1, "a": 2}, "S": 5, "s": {}})", R"({"s": {"b": 0}})"),
            R"({"s": {"b": 0, "A": 2}})");
}

TEST(MergeConf, LeavesTwinsOfOtherKeysToTheirOwner) {
  const std::string twins = R"({"serverurl": "1", "ServerURL": "2"})";
  EXPECT_EQ(merged(twins, R"({"x": 1})"), R"({"serverurl": "1", "ServerURL": "2", "x": 1})");
}

TEST(MergeConf, RemovesWithNull) {
  EXPECT_EQ(merged(R"({"a": 1, "b": 2, "c": 3})", R"({"A": null})"), R"({"b": 2, "c": 3})");
  EXPECT_EQ(merged(R"({"a": 1, "b": 2, "c": 3})", R"({"b": null})"), R"({"a": 1, "c": 3})");
  EXPECT_EQ(merged(R"({"a": 1, "b": 2, "c": 3 })", R"({"C": null})"), R"({"a": 1, "b": 2 })");
  EXPECT_EQ(merged(R"({"a": 1, "A": 2})", R"({"a": null})"), "{}");
  EXPECT_EQ(merged("{\n  \"a\": 1,\n  \"b\": {\n    \"c\": 1\n  }\n}\n",
                   R"({"a": null, "b": {"c": null}})"),
            "{\n  \"b\": {}\n}\n");
  EXPECT_EQ(merged("{\n\t\"a\": 1\n}\n", R"({"a": null, "b": 2})"), "{\n\t\"b\": 2\n}\n");
}

TEST(MergeConf, HasNothingToRemoveWhereNothingIs) {
  EXPECT_EQ(merged("{}", R"({"a": null})"), "{}");
  EXPECT_EQ(merged(R"({"a": 1})", R"({"a": {"b": null, "c": {"d": null}, "e": [null]}})"),
            R"({"a": {"c": {}, "e": [null]}})");
}

TEST(MergeConf, ReplacesListsAsAWhole) {
  EXPECT_EQ(merged(R"({"Servers": [{"ServerURL": "a"}, {"ServerURL": "b"}]})",
                   R"({"Servers": [{"ServerURL": "c"}]})"),
            R"({"Servers": [{"ServerURL": "c"}]})");
}

TEST(MergeConf, ReplacesAnObjectByAValueAndAValueByAnObject) {
  EXPECT_EQ(merged(R"({"a": {"b": 1}, "c": 2})", R"({"a": 1, "c": {"d": 3}})"),
            R"({"a": 1, "c": {"d": 3}})");
}

TEST(MergeConf, FollowsTheLayout) {
  constexpr const char* kSettings = R"({"o": {"k": 1, "l": 2}})";

  struct Row {
    const char* layout;
    std::string before;
    std::string after;
  };

  const Row rows[] = {
      {"tabs", "{\n\t\"a\": 1\n}",
       "{\n\t\"a\": 1,\n\t\"o\": {\n\t\t\"k\": 1,\n\t\t\"l\": 2\n\t}\n}"},
      {"four spaces", "{\n    \"a\": 1\n}\n",
       "{\n    \"a\": 1,\n    \"o\": {\n        \"k\": 1,\n        \"l\": 2\n    }\n}\n"},
      {"no indentation", "{\n\"a\": 1\n}\n", "{\n\"a\": 1,\n\"o\": {\n\"k\": 1,\n\"l\": 2\n}\n}\n"},
      {"DOS line ends", "{\r\n  \"a\": 1\r\n}\r\n",
       "{\r\n  \"a\": 1,\r\n  \"o\": {\r\n    \"k\": 1,\r\n    \"l\": 2\r\n  }\r\n}\r\n"},
      {"indented as a whole", "  {\n    \"a\": 1\n  }\n",
       "  {\n    \"a\": 1,\n    \"o\": {\n      \"k\": 1,\n      \"l\": 2\n    }\n  }\n"},
      {"one line", R"({"a": 1})", R"({"a": 1, "o": {"k": 1, "l": 2}})"},
      {"one line, spaced", R"({ "a": 1, "b": 2 })", R"({ "a": 1, "b": 2, "o": {"k": 1, "l": 2} })"},
      {"minified", R"({"a":1})", R"({"a":1,"o":{"k":1,"l":2}})"},
      {"space before colon", "{\n  \"a\" : 1\n}",
       "{\n  \"a\" : 1,\n  \"o\" : {\n    \"k\" : 1,\n    \"l\" : 2\n  }\n}"},
      {"blank lines between groups", "{\n  \"a\": 1,\n\n  \"b\": 2\n}",
       "{\n  \"a\": 1,\n\n  \"b\": 2,\n  \"o\": {\n    \"k\": 1,\n    \"l\": 2\n  }\n}"},
      {"one-line object in lines", "{\n  \"o\": {\"k\": 1}\n}",
       "{\n  \"o\": {\"k\": 1, \"l\": 2}\n}"},
      {"empty object in lines", "{\n  \"o\": {}\n}",
       "{\n  \"o\": {\n    \"k\": 1,\n    \"l\": 2\n  }\n}"},
      {"object with only a line break", "{\n}\n",
       "{\n  \"o\": {\n    \"k\": 1,\n    \"l\": 2\n  }\n}\n"},
      {"empty object on one line", R"({"o": {}})", R"({"o": {"k": 1, "l": 2}})"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(merged(row.before, kSettings), row.after) << row.layout;
    EXPECT_EQ(merged(row.after, kSettings), row.after) << row.layout << ", merged again";
  }
}

TEST(MergeConf, RefusesSettingsThatAreNoObject) {
  EXPECT_THAT(merge_conf("{}", ordered_json::array()),
              FailsWith(Code::invalid_input, "the settings to merge must be a JSON object"));
}

TEST(MergeConf, RefusesTwinsAmongTheSettings) {
  EXPECT_THAT(
      merge_conf("{}", ordered_json::parse(R"({"a": [{"ServerURL": 1, "serverurl": 2}]})")),
      FailsWith(Code::invalid_input,
                "'ServerURL' and 'serverurl' are one setting to the client: keep one of them"));
}

TEST(MergeConf, RefusesSettingsThatAreNotUtf8) {
  EXPECT_THAT(merge_conf("{}", identity_settings("/data/\xff", "/data/key")),
              FailsWith(Code::invalid_input, "invalid UTF-8 in the value of 'Certificate'"));
  ordered_json settings;
  settings["a\xC0"] = 1;
  EXPECT_THAT(merge_conf("{}", settings),
              FailsWith(Code::invalid_input, "invalid UTF-8 in the key 'a\\xc0'"));
}

TEST(MergeConf, RefusesSettingsNestedWithoutEnd) {
  const std::string deep = R"({"a":)" + std::string(300, '[') + std::string(300, ']') + "}";
  EXPECT_THAT(merge_conf("{}", ordered_json::parse(deep)),
              FailsWith(Code::invalid_input, "settings more than 200 levels deep"));
}

}  // namespace
}  // namespace imprint::mender
