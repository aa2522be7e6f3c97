#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/mender/conf.hpp"
#include "imprint/mender/paths.hpp"
#include "support/matchers.hpp"

namespace imprint::mender {
namespace {

using nlohmann::ordered_json;
using test::FailsWith;
using test::IsOk;
using testing::HasSubstr;
using testing::Not;

std::string merged(std::string_view existing, std::string_view settings) {
  const auto result = merge_conf(existing, ordered_json::parse(settings));
  EXPECT_THAT(result, IsOk());
  return result.value_or("");
}

/// As Debian's mender-client package has it.
constexpr std::string_view kProductionExample = R"({
  "InventoryPollIntervalSeconds": 28800,
  "RetryPollIntervalSeconds": 300,
  "ServerURL": "https://hosted.mender.io/",
  "TenantToken": "Paste your Mender Professional token here",
  "UpdatePollIntervalSeconds": 1800
}
)";

TEST(MergeConf, AddsAnIdentityToThePackagesExample) {
  const auto settings = identity_settings(kDefaultCertificate, kDefaultKey);
  EXPECT_EQ(merge_conf(kProductionExample, settings).value(), R"({
  "InventoryPollIntervalSeconds": 28800,
  "RetryPollIntervalSeconds": 300,
  "ServerURL": "https://hosted.mender.io/",
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

TEST(MergeConf, DoneTwiceIsTheSameAsOnce) {
  const auto settings = identity_settings(kDefaultCertificate, kDefaultKey);
  const std::string once = merge_conf(kProductionExample, settings).value();
  EXPECT_EQ(merge_conf(once, settings).value(), once);
}

TEST(MergeConf, OfNothingKeepsEveryByteOfAPrettyFile) {
  EXPECT_EQ(merged(kProductionExample, "{}"), kProductionExample);
  constexpr std::string_view kTabs =
      "{\r\n\t\"a\": [\r\n\t\t1.50,\r\n\t\t{}\r\n\t],\r\n\t\"b\": []\r\n}";
  EXPECT_EQ(merged(kTabs, "{}"), kTabs);
  constexpr std::string_view kFour = "{\n    \"a\": {\n        \"b\": null\n    }\n}\n";
  EXPECT_EQ(merged(kFour, "{}"), kFour);
}

TEST(MergeConf, KeepsOneLineOneLine) {
  EXPECT_EQ(merged(R"({"a":1,"b":[1,2]})", R"({"c": {"d": true}})"),
            R"({"a":1,"b":[1,2],"c":{"d":true}})");
  EXPECT_EQ(merged(R"({"a": 1, "b": [1, 2]})", R"({"c": 2})"), R"({"a": 1, "b": [1, 2], "c": 2})");
}

TEST(MergeConf, MergesObjectsMemberByMember) {
  EXPECT_EQ(merged(R"({"HttpsClient":{"SSLEngine":"x","Key":"old"}})",
                   R"({"HttpsClient": {"Key": "new", "Certificate": "c"}})"),
            R"({"HttpsClient":{"SSLEngine":"x","Key":"new","Certificate":"c"}})");
}

TEST(MergeConf, ReplacesArraysAndValuesOfOtherTypes) {
  EXPECT_EQ(merged(R"({"a":[1,2],"b":5,"c":{"d":1}})", R"({"a": [3], "b": {"x": 1}, "c": 7})"),
            R"({"a":[3],"b":{"x":1},"c":7})");
}

TEST(MergeConf, NullRemoves) {
  EXPECT_EQ(merged(R"({"a":1,"TenantToken":"t","b":{"c":1,"d":2}})",
                   R"({"tenanttoken": null, "b": {"c": null}, "z": null})"),
            R"({"a":1,"b":{"d":2}})");
  EXPECT_EQ(merged(R"({"a":1})", R"({"n": {"x": null, "y": 1}})"), R"({"a":1,"n":{"y":1}})");
}

TEST(MergeConf, FindsKeysOfAnyCaseAndKeepsTheirSpelling) {
  EXPECT_EQ(merged(R"({"httpsclient":{"KEY":"old"},"SERVERURL":"o"})",
                   R"({"ServerURL": "n", "HttpsClient": {"Key": "k"}})"),
            R"({"httpsclient":{"KEY":"k"},"SERVERURL":"n"})");
}

TEST(MergeConf, MakesTwinsOneAtThePlaceOfTheFirst) {
  EXPECT_EQ(merged(R"({"serverurl":"a","x":1,"ServerURL":"b"})", R"({"ServerURL": "c"})"),
            R"({"serverurl":"c","x":1})");
  EXPECT_EQ(merged(R"({"HttpsClient":{"Key":"a","SSLEngine":"e"},"x":1,"httpsClient":{"key":"b"}})",
                   R"({"HttpsClient": {"Certificate": "c"}})"),
            R"({"HttpsClient":{"Key":"b","SSLEngine":"e","Certificate":"c"},"x":1})");
  EXPECT_EQ(merged(R"({"a":1,"a":2})", R"({"a": null})"), "{}");
}

TEST(MergeConf, LeavesTwinsOfOtherKeysAlone) {
  EXPECT_EQ(merged(R"({"x":1,"X":2})", R"({"y": 3})"), R"({"x":1,"X":2,"y":3})");
}

TEST(MergeConf, KeepsTheDigitsOfNumbers) {
  EXPECT_EQ(merged(R"({"a":1e3,"b":0.10,"c":123456789012345678901234567890,"d":-7})", "{}"),
            R"({"a":1e3,"b":0.10,"c":123456789012345678901234567890,"d":-7})");
}

TEST(MergeConf, LeavesTextUnescaped) {
  EXPECT_EQ(merged(R"({"a":"Blåbær <&> /"})", R"({"b": "œ & <x>"})"),
            R"({"a":"Blåbær <&> /","b":"œ & <x>"})");
}

TEST(MergeConf, DropsAByteOrderMark) {
  EXPECT_EQ(merged("\xef\xbb\xbf{\"a\":1}", "{}"), "{\"a\":1}");
}

TEST(MergeConf, SaysWhereTheTextIsNoJson) {
  const auto result = merge_conf("{\n  \"ServerURL\": \"https://x\",\n}\n", ordered_json::object());
  EXPECT_THAT(
      result,
      FailsWith(
          Code::invalid_input,
          "line 3, column 1: not valid JSON: while parsing object key - unexpected '}'; expected "
          "string literal"));
  EXPECT_THAT(merge_conf("", ordered_json::object()),
              FailsWith(Code::invalid_input, "line 1, column 1: not valid JSON"));
  EXPECT_THAT(merge_conf("{} x", ordered_json::object()),
              FailsWith(Code::invalid_input, "line 1, column 4"));
  EXPECT_THAT(merge_conf("{\"a\": \"\xff\"}", ordered_json::object()),
              FailsWith(Code::invalid_input, "ill-formed UTF-8"));
  EXPECT_THAT(merge_conf(std::string(100000, '['), ordered_json::object()),
              FailsWith(Code::invalid_input, "64 levels"));
}

TEST(MergeConf, DoesNotRepeatWhatItCouldNotRead) {
  const auto result = merge_conf("{\"TenantToken\": \"hunter2\n\"}", ordered_json::object());
  EXPECT_THAT(result, FailsWith(Code::invalid_input, "line 1, column 25"));
  EXPECT_THAT(result.error().message(), Not(HasSubstr("hunter2")));
}

TEST(MergeConf, NeedsObjects) {
  EXPECT_THAT(merge_conf("[]", ordered_json::object()),
              FailsWith(Code::invalid_input, "a JSON object is expected"));
  EXPECT_THAT(merge_conf("{}", ordered_json::array()),
              FailsWith(Code::invalid_input, "settings to merge are a JSON object"));
}

TEST(MergeConf, RefusesSettingsThatAreNoUtf8) {
  EXPECT_THAT(merge_conf("{}", ordered_json{{"a", "\xff"}}),
              FailsWith(Code::invalid_input, "invalid UTF-8"));
  EXPECT_THAT(merge_conf("{}", ordered_json{{"\xff", 1}}),
              FailsWith(Code::invalid_input, "invalid UTF-8"));
}

TEST(NewConf, IsReadable) {
  EXPECT_EQ(new_conf(ordered_json{{"a", {{"b", 1}}}}).value(),
            "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n");
}

TEST(IdentitySettings, ServeBothClients) {
  const auto settings = identity_settings("/c", "/k");
  EXPECT_EQ(
      settings.dump(),
      R"({"HttpsClient":{"Certificate":"/c","Key":"/k"},"Security":{"AuthPrivateKey":"/k"}})");
}

}  // namespace
}  // namespace imprint::mender
