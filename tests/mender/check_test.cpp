#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "imprint/mender/conf.hpp"

namespace imprint::mender {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Text = std::optional<std::string_view>;

constexpr const char* kNoServer =
    "no server: set 'ServerURL' or 'Servers' in mender.conf, or devices will have nobody to ask";

TEST(CheckConf, FindsNothingWrongWithAnIdentityInOneFileOrSplitOverBoth) {
  const char* whole =
      R"({"ServerURL":"https://x","HttpsClient":{"Certificate":"/c","Key":"/k"},"Security":{"AuthPrivateKey":"/k"}})";
  const char* partitions = R"({"RootfsPartA":"/dev/mmcblk0p2","RootfsPartB":"/dev/mmcblk0p3"})";
  const char* server = R"({"Servers":[{"ServerURL":"https://x"}],"ArtifactVerifyKeys":["/v"]})";
  const char* identity =
      R"({"HttpsClient":{"Certificate":"/c","Key":"/k"},"Security":{"AuthPrivateKey":"/k"}})";
  const std::pair<Text, Text> pairs[] = {{whole, std::nullopt}, {std::nullopt, whole},
                                         {whole, partitions},   {server, identity},
                                         {identity, server},    {whole, whole}};
  for (const auto& [main, fallback] : pairs) {
    const ConfFindings findings = check_conf(main, fallback);
    EXPECT_THAT(findings.errors, IsEmpty()) << main.value_or("-");
    EXPECT_THAT(findings.warnings, IsEmpty()) << main.value_or("-");
  }
}

TEST(CheckConf, ReportsBothFilesThatAreNoJson) {
  const ConfFindings findings = check_conf("{,}", "");
  EXPECT_THAT(
      findings.errors,
      ElementsAre("'/data/mender/mender.conf': line 1, column 1: empty: write '{}' at least",
                  "'/etc/mender/mender.conf': line 1, column 2: a key in double quotes should be "
                  "here instead of ','"));
  EXPECT_THAT(findings.warnings, IsEmpty());
}

TEST(CheckConf, RefusesSettingsThatExcludeEachOther) {
  const char* server_url = R"({"ServerURL":"u"})";
  const char* servers = R"({"servers":[{"ServerURL":"u"}]})";
  EXPECT_THAT(check_conf(R"({"ServerURL":"u","Servers":[]})", std::nullopt).errors,
              ElementsAre("'ServerURL' in '/etc/mender/mender.conf' and 'Servers' in "
                          "'/etc/mender/mender.conf': clients refuse "
                          "the two together, remove one"));
  EXPECT_THAT(check_conf(server_url, servers).errors,
              ElementsAre("'ServerURL' in '/etc/mender/mender.conf' and 'Servers' in "
                          "'/data/mender/mender.conf': clients refuse "
                          "the two together, remove one"));
  EXPECT_THAT(check_conf(servers, server_url).errors,
              ElementsAre("'ServerURL' in '/data/mender/mender.conf' and 'Servers' in "
                          "'/etc/mender/mender.conf': clients refuse "
                          "the two together, remove one"));
  EXPECT_THAT(
      check_conf(R"({"ServerURL":"u","ArtifactVerifyKey":"v"})", R"({"ArtifactVerifyKeys":["v"]})")
          .errors,
      ElementsAre("'ArtifactVerifyKey' in '/etc/mender/mender.conf' and 'ArtifactVerifyKeys' in "
                  "'/data/mender/mender.conf': clients refuse the two together, remove one"));
}

TEST(CheckConf, RefusesHalfAnIdentity) {
  EXPECT_THAT(
      check_conf(R"({"ServerURL":"u","HttpsClient":{"Certificate":"/c"}})", std::nullopt).errors,
      ElementsAre(
          "'HttpsClient.Certificate' is set, 'HttpsClient.Key' is not: clients need both or none"));
  EXPECT_THAT(
      check_conf(R"({"HttpsClient":{"Certificate":""}})",
                 R"({"HttpsClient":{"Certificate":"/c","Key":"/k"}})")
          .errors,
      ElementsAre(
          "'HttpsClient.Key' is set, 'HttpsClient.Certificate' is not: clients need both or none"));
}

TEST(CheckConf, WarnsWhenThereIsNoServer) {
  EXPECT_THAT(check_conf(std::nullopt, std::nullopt).missing, ElementsAre(kNoServer));
  EXPECT_THAT(check_conf(R"({"ServerURL":""})", "{}").missing, ElementsAre(kNoServer));
  EXPECT_THAT(check_conf(R"({"Servers":[]})", std::nullopt).missing, ElementsAre(kNoServer));
}

TEST(CheckConf, WarnsWhenTheMainFileHidesADifferentFallback) {
  EXPECT_THAT(
      check_conf(
          R"({"ServerURL":"u","HttpsClient":{"Certificate":"/c","Key":"/old"},"Security":{"AuthPrivateKey":"/old"}})",
          R"({"HttpsClient":{"Certificate":"/c","Key":"/new"},"Security":{"AuthPrivateKey":"/new"}})")
          .warnings,
      ElementsAre(
          "'HttpsClient.Key' in '/etc/mender/mender.conf' overrides a different one in "
          "'/data/mender/mender.conf': make "
          "them the same, or remove it from the first",
          "'Security.AuthPrivateKey' in '/etc/mender/mender.conf' overrides a different one in "
          "'/data/mender/mender.conf': make them the same, or remove it from the first"));
}

TEST(CheckConf, WarnsWhenRequestsWouldBeSignedWithAnotherKey) {
  EXPECT_THAT(
      check_conf(R"({"ServerURL":"u","HttpsClient":{"Certificate":"/c","Key":"/k"}})", std::nullopt)
          .warnings,
      ElementsAre("'HttpsClient.Key' is set, 'Security.AuthPrivateKey' is not: clients from 4.0 on "
                  "sign with a key of "
                  "their own then, which the gateway refuses; set both to the same key"));
  EXPECT_THAT(
      check_conf(R"({"ServerURL":"u","HttpsClient":{"Certificate":"/c","Key":"/k"}})",
                 R"({"Security":{"AuthPrivateKey":"/other"}})")
          .warnings,
      ElementsAre("'Security.AuthPrivateKey' is not the key of 'HttpsClient.Key': clients sign "
                  "with the former, and the "
                  "gateway refuses requests signed with another key than the certificate's"));
  // Signing with a key of one's own is fine where TLS asks for none.
  EXPECT_THAT(
      check_conf(R"({"ServerURL":"u","Security":{"AuthPrivateKey":"/a"}})", std::nullopt).warnings,
      IsEmpty());
}

TEST(CheckConf, WarnsOfTypesThatClientsDoNotTake) {
  EXPECT_THAT(
      check_conf(
          R"({"ServerURL":"u","Security":[],"tenanttoken":5,"HttpsClient":{"SSLEngine":{}}})",
          std::nullopt)
          .warnings,
      ElementsAre("'TenantToken' in '/etc/mender/mender.conf' is not a string: clients before 4.0 "
                  "refuse the whole file, "
                  "later ones ignore the setting",
                  "'HttpsClient.SSLEngine' in '/etc/mender/mender.conf' is not a string: clients "
                  "before 4.0 refuse the "
                  "whole file, later ones ignore the setting",
                  "'Security' in '/etc/mender/mender.conf' is not an object: clients before 4.0 "
                  "refuse the whole file, "
                  "later ones ignore the setting"));
  const ConfFindings no_list = check_conf(R"({"Servers":"u"})", std::nullopt);
  EXPECT_THAT(no_list.warnings,
              ElementsAre("'Servers' in '/etc/mender/mender.conf' is not a list: clients before "
                          "4.0 refuse the whole file, later "
                          "ones ignore the setting"));
  EXPECT_THAT(no_list.missing, ElementsAre(kNoServer));
  EXPECT_THAT(check_conf(R"({"ServerURL":"u","TenantToken":null})", std::nullopt).warnings,
              IsEmpty());
}

TEST(CheckConf, WarnsOfTwinsWhereClientsDisagree) {
  EXPECT_THAT(
      check_conf(
          std::nullopt,
          R"({"serverurl":"1","ServerURL":"2","Security":{"SSLEngine":"1","sslengine":"1"}})")
          .warnings,
      ElementsAre("'serverurl' and 'ServerURL' in '/data/mender/mender.conf' are one setting, and "
                  "clients differ in which of "
                  "them counts: keep one",
                  "'SSLEngine' and 'sslengine' in '/data/mender/mender.conf' are one setting, and "
                  "clients differ in which of "
                  "them counts: keep one"));
  // Spelled alike, the last one counts for all of them.
  EXPECT_THAT(check_conf(R"({"ServerURL":"1","ServerURL":"2"})", std::nullopt).warnings, IsEmpty());
}

TEST(CheckConf, NeverShowsAValue) {
  const char* main =
      R"({"HttpsClient":{"Key":"pkcs11:object=k?pin-value=1234"},"Security":{"AuthPrivateKey":"pkcs11:object=k?pin-value=5678"},"TenantToken":1234})";
  const char* fallback = R"({"HttpsClient":{"Key":"pkcs11:object=o?pin-value=9012"}})";
  const ConfFindings findings = check_conf(main, fallback);
  ASSERT_EQ(findings.errors.size(), 1U);
  ASSERT_EQ(findings.warnings.size(), 3U);
  EXPECT_THAT(findings.missing, ElementsAre(kNoServer));
  EXPECT_THAT(findings.errors.front(), testing::Not(testing::HasSubstr("pin")));
  for (const std::string& line : findings.warnings) {
    EXPECT_THAT(line, testing::Not(testing::ContainsRegex("pin|1234|5678|9012")));
  }
}

}  // namespace
}  // namespace imprint::mender
