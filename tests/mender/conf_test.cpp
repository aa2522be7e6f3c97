#include "imprint/mender/conf.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/mender/paths.hpp"
#include "support/matchers.hpp"

namespace imprint::mender {
namespace {

using test::FailsWith;
using Text = std::optional<std::string_view>;

TEST(IdentitySettings, NameTheKeyForTlsAndForSigning) {
  EXPECT_EQ(
      identity_settings("/data/c.pem", "/data/k.pem").dump(),
      R"({"HttpsClient":{"Certificate":"/data/c.pem","Key":"/data/k.pem"},"Security":{"AuthPrivateKey":"/data/k.pem"}})");
}

TEST(EffectiveConf, FollowsTheClientsPrecedence) {
  struct Row {
    const char* rule;
    Text main;
    Text fallback;
    std::optional<std::string> certificate, key, auth_private_key, server_url;
  };

  const auto none = std::nullopt;
  const Row rows[] = {
      {"no file at all", none, none, none, none, none, none},
      {"main alone",
       R"({"ServerURL":"m","HttpsClient":{"Certificate":"c","Key":"k"},"Security":{"AuthPrivateKey":"a"}})",
       none, "c", "k", "a", "m"},
      {"fallback alone", none, R"({"ServerURL":"f","HttpsClient":{"Certificate":"c","Key":"k"}})",
       "c", "k", none, "f"},
      {"main wins", R"({"ServerURL":"m"})", R"({"ServerURL":"f"})", none, none, none, "m"},
      {"main wins sub-key by sub-key", R"({"HttpsClient":{"Key":"m"}})",
       R"({"HttpsClient":{"Certificate":"f","Key":"f"},"Security":{"AuthPrivateKey":"f"}})", "f",
       "m", "f", none},
      {"an empty object overrides nothing", R"({"HttpsClient":{}})",
       R"({"HttpsClient":{"Key":"f"}})", none, "f", none, none},
      {"keys in any case",
       R"({"serverurl":"m","HTTPSCLIENT":{"certificate":"c","KEY":"k"},"security":{"authprivatekey":"a"}})",
       none, "c", "k", "a", "m"},
      {"the same key in another case overrides", R"({"httpsclient":{"KEY":"m"}})",
       R"({"HttpsClient":{"Key":"f"}})", none, "m", none, none},
      {"the last of twins",
       R"({"ServerURL":"1","serverurl":"2","Security":{"AuthPrivateKey":"1"},"security":{"x":0}})",
       none, none, none, "1", "2"},
      {"wrong types count for nothing",
       R"({"ServerURL":1,"HttpsClient":["Key"],"Security":{"AuthPrivateKey":null}})",
       R"({"ServerURL":"f","HttpsClient":{"Key":"f"},"Security":{"AuthPrivateKey":"f"}})", none,
       "f", "f", "f"},
      {"an empty text unsets", R"({"ServerURL":"","Security":{"AuthPrivateKey":""}})",
       R"({"ServerURL":"f","Security":{"AuthPrivateKey":"f"}})", none, none, none, none},
      {"the first of Servers", R"({"Servers":[{"ServerURL":"1"},{"ServerURL":"2"}]})", none, none,
       none, none, "1"},
      {"servers without an address are passed over", R"({"Servers":[{},"x",{"serverurl":"2"}]})",
       none, none, none, none, "2"},
      {"main's Servers replace the fallback's", R"({"Servers":[]})",
       R"({"Servers":[{"ServerURL":"f"}]})", none, none, none, none},
      {"escapes are decoded", R"({"ServerURL":"https:\/\/\u00e9"})", none, none, none, none,
       "https://é"},
  };
  for (const Row& row : rows) {
    const auto conf = effective_conf(row.main, row.fallback);
    ASSERT_THAT(conf, test::IsOk()) << row.rule;
    EXPECT_EQ(conf->certificate(), row.certificate) << row.rule;
    EXPECT_EQ(conf->key(), row.key) << row.rule;
    EXPECT_EQ(conf->auth_private_key(), row.auth_private_key) << row.rule;
    EXPECT_EQ(conf->server_url(), row.server_url) << row.rule;
  }
}

TEST(EffectiveConf, KnowsWhatTheClientTrusts) {
  using Keys = std::vector<std::string>;
  const auto read = [](Text main, Text fallback) { return effective_conf(main, fallback).value(); };
  const auto plain = read("{}", std::nullopt);
  EXPECT_EQ(plain.server_certificate(), std::nullopt);
  EXPECT_FALSE(plain.has_tenant_token());
  EXPECT_EQ(plain.artifact_verify_keys(), Keys{});
  const auto full = read(R"({"servercertificate":"/m","ARTIFACTVERIFYKEY":"/k"})",
                         R"({"ServerCertificate":"/f","TenantToken":"t"})");
  EXPECT_EQ(full.server_certificate(), "/m");
  EXPECT_TRUE(full.has_tenant_token());
  EXPECT_EQ(full.artifact_verify_keys(), Keys{"/k"});
  EXPECT_FALSE(full.skip_verify());
  EXPECT_TRUE(read(R"({"skipverify":true})", "{}").skip_verify());
  EXPECT_TRUE(read(R"({"SkipVerify":"no"})", R"({"SkipVerify":true})").skip_verify());
  EXPECT_FALSE(read(R"({"SkipVerify":false})", R"({"SkipVerify":true})").skip_verify());
  EXPECT_EQ(read(R"({"ArtifactVerifyKeys":["/1", 2, "", "/3"],"TenantToken":""})", "{}")
                .artifact_verify_keys(),
            (Keys{"/1", "/3"}));
  EXPECT_EQ(read("{}", R"({"ArtifactVerifyKeys":["/f"]})").artifact_verify_keys(), Keys{"/f"});
  EXPECT_EQ(read(R"({"ArtifactVerifyKeys":[]})", R"({"ArtifactVerifyKeys":["/f"]})")
                .artifact_verify_keys(),
            Keys{});
}

TEST(EffectiveConf, NamesTheFileThatIsNoJson) {
  EXPECT_THAT(
      effective_conf("{\n\"a\": 1,\n}", "{}"),
      FailsWith(Code::invalid_input,
                "'/etc/mender/mender.conf': line 2, column 7: comma before '}': remove it"));
  EXPECT_THAT(
      effective_conf("{}", "[]"),
      FailsWith(
          Code::invalid_input,
          "'/data/mender/mender.conf': line 1, column 1: a JSON object is needed here, in braces"));
}

TEST(OverriddenSettings, AreThoseThatAClientWouldNotHave) {
  const auto settings = nlohmann::ordered_json::parse(
      R"({"ServerURL": "https://a", "Servers": null, "ArtifactVerifyKeys": ["/k1", "/k2"],
          "HttpsClient": {"Key": "/not/looked/at"}})");
  const auto names = [&](std::optional<std::string_view> main,
                         std::optional<std::string_view> fallback) {
    return overridden_settings(main, fallback, settings).value();
  };
  constexpr std::string_view kAll =
      R"({"serverurl": "https://a", "ArtifactVerifyKeys": ["/k1","/k2"]})";
  EXPECT_TRUE(names(kAll, std::nullopt).empty());
  EXPECT_TRUE(names("{}", kAll).empty());
  EXPECT_TRUE(names(kAll, R"({"ServerURL": "https://other"})").empty()) << "main counts";
  EXPECT_EQ(names(R"({"ServerURL": "https://other"})", kAll),
            std::vector<std::string>{"ServerURL"});
  EXPECT_EQ(names(R"({"ServerURL": "https://a", "ArtifactVerifyKeys": ["/k2"]})", std::nullopt),
            std::vector<std::string>{"ArtifactVerifyKeys"});
  EXPECT_EQ(names(std::nullopt, std::nullopt).size(), 2U);
  EXPECT_FALSE(overridden_settings("{", std::nullopt, settings));
}

}  // namespace
}  // namespace imprint::mender
