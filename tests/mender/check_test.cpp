#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/mender/conf.hpp"
#include "support/matchers.hpp"

namespace imprint::mender {
namespace {

using test::FailsWith;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(EffectiveConf, TheMainFileWinsKeyByKey) {
  const auto conf = effective_conf(R"({"ServerURL": "main", "HttpsClient": {"key": "k1"}})",
                                   R"({"serverurl": "fallback", "RootfsPartA": "/dev/a",
                                       "HttpsClient": {"Certificate": "c0", "Key": "k0"}})")
                        .value();
  EXPECT_EQ(
      conf.dump(),
      R"({"serverurl":"main","RootfsPartA":"/dev/a","HttpsClient":{"Certificate":"c0","Key":"k1"}})");
}

TEST(EffectiveConf, OtherObjectsAreReplacedWhole) {
  const auto conf =
      effective_conf(R"({"DBus": {"Enabled": true}})", R"({"DBus": {"x": 1}})").value();
  EXPECT_EQ(conf.dump(), R"({"DBus":{"Enabled":true}})");
}

TEST(EffectiveConf, OfNoFilesIsEmpty) {
  EXPECT_EQ(effective_conf(std::nullopt, std::nullopt).value().dump(), "{}");
}

TEST(EffectiveConf, NamesTheFileThatIsNoJson) {
  EXPECT_THAT(effective_conf("{}", "{,}"),
              FailsWith(Code::invalid_input,
                        "'/data/mender/mender.conf': line 1, column 2: not valid JSON"));
  EXPECT_THAT(effective_conf("[]", std::nullopt),
              FailsWith(Code::invalid_input,
                        "'/etc/mender/mender.conf': line 1, column 1: a JSON object is expected"));
}

TEST(FindSetting, IgnoresCaseAndFollowsDots) {
  const auto conf = nlohmann::ordered_json::parse(R"({"HTTPSCLIENT": {"key": "k"}, "a": 1})");
  ASSERT_NE(find_setting(conf, "HttpsClient.Key"), nullptr);
  EXPECT_EQ(*find_setting(conf, "HttpsClient.Key"), "k");
  EXPECT_EQ(find_setting(conf, "HttpsClient.Certificate"), nullptr);
  EXPECT_EQ(find_setting(conf, "a.b"), nullptr);
}

TEST(CheckConf, AcceptsASoundPair) {
  const auto found =
      check_conf(R"({"ServerURL": "https://x", "HttpsClient": {"Certificate": "c", "Key": "k"}})",
                 R"({"RootfsPartA": "/dev/a"})");
  EXPECT_THAT(found.errors, IsEmpty());
  EXPECT_THAT(found.warnings, IsEmpty());
}

TEST(CheckConf, RefusesServersBesideServerUrl) {
  constexpr auto kMessage = "'ServerURL' and 'Servers' are both set";
  EXPECT_THAT(
      check_conf(R"({"ServerURL": "x", "Servers": [{"ServerURL": "y"}]})", std::nullopt).errors,
      ElementsAre(HasSubstr(kMessage)));
  EXPECT_THAT(check_conf(R"({"ServerURL": "x"})", R"({"servers": [{"ServerURL": "y"}]})").errors,
              ElementsAre(HasSubstr(kMessage)));
  EXPECT_THAT(check_conf(R"({"ServerURL": "x", "Servers": []})", std::nullopt).errors, IsEmpty());
}

TEST(CheckConf, RefusesOneVerifyKeyBesideMany) {
  EXPECT_THAT(
      check_conf(R"({"ServerURL": "x", "ArtifactVerifyKey": "a", "ArtifactVerifyKeys": ["b"]})",
                 std::nullopt)
          .errors,
      ElementsAre(HasSubstr("'ArtifactVerifyKey' and 'ArtifactVerifyKeys' are both set")));
}

TEST(CheckConf, RefusesHalfAnIdentity) {
  constexpr auto kMessage = "'HttpsClient' has only one of 'Certificate' and 'Key'";
  EXPECT_THAT(check_conf(R"({"ServerURL": "x", "HttpsClient": {"Key": "k"}})", std::nullopt).errors,
              ElementsAre(HasSubstr(kMessage)));
  EXPECT_THAT(check_conf(R"({"ServerURL": "x", "HttpsClient": {"Certificate": "c", "Key": ""}})",
                         std::nullopt)
                  .errors,
              ElementsAre(HasSubstr(kMessage)));
  EXPECT_THAT(check_conf(R"({"ServerURL": "x", "HttpsClient": {"Key": "k"}})",
                         R"({"HttpsClient": {"Certificate": "c"}})")
                  .errors,
              IsEmpty());
}

TEST(CheckConf, WarnsOfADeviceWithoutServer) {
  EXPECT_THAT(check_conf("{}", std::nullopt).warnings, ElementsAre(HasSubstr("no 'ServerURL'")));
  EXPECT_THAT(check_conf("{}", R"({"Servers": [{"ServerURL": "x"}]})").warnings, IsEmpty());
}

TEST(CheckConf, WarnsWhenTheMainFileOverrulesTheIdentity) {
  constexpr auto kFallback =
      R"({"ServerURL": "x", "HttpsClient": {"Certificate": "c", "Key": "k"}})";
  EXPECT_THAT(check_conf(R"({"httpsclient": {"KEY": "other"}})", kFallback).warnings,
              ElementsAre("'HttpsClient.Key' of '/etc/mender/mender.conf' overrules that of "
                          "'/data/mender/mender.conf'"));
  EXPECT_THAT(check_conf(kFallback, kFallback).warnings, IsEmpty());
}

TEST(CheckConf, ReportsWhatIsNoJsonAndNothingElse) {
  const auto found = check_conf("{", "{\"ServerURL\": 1,}");
  EXPECT_THAT(found.errors, ElementsAre(HasSubstr("'/etc/mender/mender.conf': line 1, column"),
                                        HasSubstr("'/data/mender/mender.conf': line 1, column")));
  EXPECT_THAT(found.warnings, IsEmpty());
}

}  // namespace
}  // namespace imprint::mender
