// The judge here is the client itself: mender 3.4 (Go) of Debian's package, asked at debug level
// what it understood. It reads two files given by option, needs no server, no root and no
// installation.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/mender/conf.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::mender {
namespace {

using testing::HasSubstr;
using testing::Not;

using Text = std::optional<std::string>;

class Client : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("dpkg-deb");
    if (!std::filesystem::exists(IMPRINT_CLIENT_PACKAGE)) {
      GTEST_SKIP() << "needs the package mender-client: run scripts/make-image once";
    }
    ASSERT_EQ(
        test::run_command({"dpkg-deb", "-x", IMPRINT_CLIENT_PACKAGE, (dir_ / "root").string()})
            .status,
        0);
    if (test::run_command({program(), "--version"}).status != 0)
      GTEST_SKIP() << "the packaged client does not run here";
  }

  [[nodiscard]] std::string program() const { return (dir_ / "root/usr/bin/mender").string(); }

  /// What the client logs while it loads the two files.
  [[nodiscard]] std::string log(const Text& main, const Text& fallback) const {
    const auto place = [&](const char* name, const Text& text) {
      std::filesystem::remove(dir_ / name);
      if (text) dir_.write(name, *text);
      return (dir_ / name).string();
    };
    const std::string data = (dir_ / "data").string();
    std::filesystem::create_directories(data);
    const auto result = test::run_command(
        {program(), "--no-syslog", "--log-level", "debug", "--config", place("main", main),
         "--fallback-config", place("fallback", fallback), "--data", data, "show-artifact"});
    return result.out + result.err;
  }

  test::TempDir dir_;
};

/// The log writes Go values with quotes escaped: `Key:\"/k\"`.
std::string logged(std::string_view field, const std::optional<std::string>& value) {
  return fmt::format("{}:\\\"{}\\\"", field, value.value_or(""));
}

TEST_F(Client, UnderstandsWhatIsMergedIntoDebiansExample) {
  const std::string example =
      test::slurp(dir_ / "root/usr/share/doc/mender-client/examples/mender.conf.production");
  ASSERT_THAT(example, HasSubstr("\"InventoryPollIntervalSeconds\": 28800,\n"));
  const auto with_server = merge_conf(
      example, nlohmann::ordered_json::parse(R"({"serverurl": "https://mtls.example.com"})"));
  ASSERT_THAT(with_server, test::IsOk());
  const auto merged = merge_conf(*with_server, identity_settings("/data/c.pem", "/data/k.pem"));
  ASSERT_THAT(merged, test::IsOk());

  const std::string log_text = log(*merged, std::nullopt);
  for (const char* field :
       {R"(Certificate:\"/data/c.pem\")", R"(Key:\"/data/k.pem\")",
        R"(AuthPrivateKey:\"/data/k.pem\")", R"(ServerURL:\"https://mtls.example.com\")",
        "InventoryPollIntervalSeconds:28800", "RetryPollIntervalSeconds:300",
        "Verified configuration"}) {
    EXPECT_THAT(log_text, HasSubstr(field));
  }
}

TEST_F(Client, UnderstandsListsThatTakeThePlaceOfSingleSettings) {
  const auto merged =
      merge_conf(R"({"ServerURL": "https://old", "ArtifactVerifyKey": "/old"})",
                 nlohmann::ordered_json::parse(
                     R"({"Servers": [{"ServerURL": "https://a"}, {"ServerURL": "https://b"}],
              "ServerURL": null, "TenantToken": "t.o-k", "ServerCertificate": "/s.crt",
              "ArtifactVerifyKeys": ["/1.pem", "/2.pem"], "ArtifactVerifyKey": null})"));
  ASSERT_THAT(merged, test::IsOk());
  // This one, of 3.4, knows no ArtifactVerifyKeys yet: for it nothing has to be signed.
  const std::string log_text = log(*merged, std::nullopt);
  for (const char* field :
       {R"(MenderServer{ServerURL:\"https://a\"})", R"(MenderServer{ServerURL:\"https://b\"})",
        R"(TenantToken:\"t.o-k\")", R"(ServerCertificate:\"/s.crt\")", R"(ArtifactVerifyKey:\"\")",
        "Verified configuration"}) {
    EXPECT_THAT(log_text, HasSubstr(field));
  }
}

TEST_F(Client, ReadsMergedTwinsAsMeant) {
  const auto merged = merge_conf(
      R"({"httpsclient": {"key": "/1"}, "HttpsClient": {"Key": "/2", "SSLEngine": "e"}})",
      identity_settings("/c", "/k"));
  ASSERT_THAT(merged, test::IsOk());
  EXPECT_THAT(log(*merged, std::nullopt),
              HasSubstr(R"(HttpsClient{Certificate:\"/c\", Key:\"/k\", SSLEngine:\"e\"})"));
}

TEST_F(Client, HasTheEffectiveValues) {
  const std::pair<Text, Text> pairs[] = {
      {R"({"ServerURL":"https://m","HttpsClient":{"Key":"/m"}})",
       R"({"ServerURL":"https://f","HttpsClient":{"Certificate":"/f","Key":"/f"},"Security":{"AuthPrivateKey":"/f"}})"},
      {R"({"httpsCLIENT":{"certificate":"/c","KEY":"/k"},"SECURITY":{}})",
       R"({"security":{"authprivatekey":"/f"}})"},
      {R"({"ServerURL":"1","serverurl":"2","HttpsClient":{"Certificate":"/1","Key":"/1"},"httpsclient":{"key":"/2"}})",
       "{}"},
      {R"({"HttpsClient":{"Key":"","Certificate":null}})",
       R"({"HttpsClient":{"Key":"/f","Certificate":"/f"}})"},
      {std::nullopt, R"({"Servers":[{"ServerURL":"https://1"},{"ServerURL":"https://2"}]})"},
      {"{}", std::nullopt},
      {std::nullopt, std::nullopt},
  };
  for (const auto& [main, fallback] : pairs) {
    const auto conf = effective_conf(main, fallback);
    ASSERT_THAT(conf, test::IsOk());
    const std::string log_text = log(main, fallback);
    const std::size_t verified = log_text.find("Verified configuration");
    ASSERT_NE(verified, std::string::npos) << log_text;
    const std::string values = log_text.substr(verified);
    EXPECT_THAT(values, HasSubstr(logged("HttpsClient{Certificate", conf->certificate())));
    EXPECT_THAT(values, HasSubstr(logged(" Key", conf->key())));
    EXPECT_THAT(values, HasSubstr(logged("AuthPrivateKey", conf->auth_private_key())));
    EXPECT_THAT(values, HasSubstr(logged("MenderServer{ServerURL", conf->server_url())));
  }
}

TEST_F(Client, RefusesWhatTheCheckCallsAnError) {
  const std::pair<Text, Text> pairs[] = {
      {R"({"ServerURL":"u",})", std::nullopt},
      {R"({"ServerURL":"u"})", "{"},
      {R"({"ServerURL":"u","Servers":[]})", std::nullopt},
      {R"({"ServerURL":"u"})", R"({"Servers":[{"ServerURL":"v"}]})"},
      {R"({"Servers":[{"ServerURL":"v"}]})", R"({"ServerURL":"u"})"},
  };
  for (const auto& [main, fallback] : pairs) {
    EXPECT_FALSE(check_conf(main, fallback).errors.empty()) << main.value_or("-");
    EXPECT_THAT(log(main, fallback), Not(HasSubstr("Verified configuration")))
        << main.value_or("-");
  }
}

TEST_F(Client, RefusesAFileWithAByteOrderMark) {
  const std::string marked = "\xEF\xBB\xBF{\"ServerURL\":\"u\"}";
  EXPECT_FALSE(check_conf(marked, std::nullopt).errors.empty());
  EXPECT_THAT(log(marked, std::nullopt), Not(HasSubstr("Verified configuration")));
}

TEST_F(Client, RefusesAWrongTypeAsTheCheckWarns) {
  const std::string wrong = R"({"ServerURL":"u","TenantToken":5})";
  EXPECT_EQ(check_conf(wrong, std::nullopt).warnings.size(), 1U);
  EXPECT_THAT(log(wrong, std::nullopt), Not(HasSubstr("Verified configuration")));
}

}  // namespace
}  // namespace imprint::mender
