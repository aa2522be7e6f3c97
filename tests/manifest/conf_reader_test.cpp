// What a manifest says about mender.conf: entries, and what cannot be meant.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/manifest/manifest.hpp"
#include "support/matchers.hpp"

namespace imprint::manifest {
namespace {

using test::FailsWith;
using test::IsOk;

Result<Manifest> parse(std::string_view mender_conf, const ConfOverrides& flags = {}) {
  auto document = nlohmann::ordered_json::parse(R"({
    "version": 1, "image": "base.sdimg", "authority": {"certificate": "ca.pem", "key": "ca.key"},
    "devices": "devices.csv"})");
  document["mender_conf"] = nlohmann::ordered_json::parse(mender_conf);
  Overrides overrides;
  overrides.conf = flags;
  return parse_manifest(document.dump(), "batch/m.json", overrides);
}

TEST(ConfEntries, AreAbsentUnlessSaid) {
  const MenderConfSpec conf = parse("{}").value().mender_conf;
  EXPECT_TRUE(conf.servers.empty());
  EXPECT_EQ(conf.tenant_token.index(), 0U);
  EXPECT_FALSE(conf.server_certificate);
  EXPECT_TRUE(conf.artifact_verify_keys.empty());
}

TEST(ConfEntries, PutFilesWhereTheTargetSurvives) {
  const std::string entries =
      R"("server_certificate": "keys/server.crt", "artifact_verify_key": "v.pem"})";
  const MenderConfSpec rootfs = parse("{" + entries).value().mender_conf;
  EXPECT_EQ(rootfs.server_certificate->from, "batch/keys/server.crt");
  EXPECT_EQ(rootfs.server_certificate->to, "/etc/mender/server.crt");
  EXPECT_EQ(rootfs.artifact_verify_keys.at(0).to, "/etc/mender/artifact-verify-key.pem");
  EXPECT_FALSE(rootfs.artifact_verify_key_list);
  for (const std::string target : {"data", "both"}) {
    const MenderConfSpec conf =
        parse(R"({"target": ")" + target + R"(", )" + entries).value().mender_conf;
    EXPECT_EQ(conf.server_certificate->to, "/data/mender/server.crt");
    EXPECT_EQ(conf.artifact_verify_keys.at(0).to, "/data/mender/artifact-verify-key.pem");
  }
  const MenderConfSpec two =
      parse(R"({"artifact_verify_key": ["a.pem", "b.pem"]})").value().mender_conf;
  EXPECT_TRUE(two.artifact_verify_key_list);
  EXPECT_EQ(two.artifact_verify_keys.at(1).from, "batch/b.pem");
  EXPECT_EQ(two.artifact_verify_keys.at(1).to, "/etc/mender/artifact-verify-key-2.pem");
}

TEST(ConfEntries, TellATokenFromWhereItIs) {
  const auto token = [](const std::string& text) {
    return parse(R"({"tenant_token": ")" + text + R"("})").value().mender_conf.tenant_token;
  };
  EXPECT_EQ(std::get<std::string>(token("eyJ0.a-b_c.d")), "eyJ0.a-b_c.d");
  const auto file = std::get<authority::PassphraseSource>(token("file:token.txt"));
  EXPECT_EQ(file.kind, authority::PassphraseSource::Kind::file);
  EXPECT_EQ(file.argument, "batch/token.txt");
  EXPECT_EQ(std::get<authority::PassphraseSource>(token("env:TOKEN")).argument, "TOKEN");
  EXPECT_THAT(parse(R"({"tenant_token": "env:"})"),
              FailsWith(Code::invalid_input, "batch/m.json: /mender_conf/tenant_token: "));
}

TEST(ConfEntries, WarnAboutServersWithoutEncryption) {
  const MenderConfSpec conf =
      parse(R"({"servers": ["https://a.example", "http://b.example"]})").value().mender_conf;
  EXPECT_TRUE(conf.server_list);
  ASSERT_EQ(conf.warnings.size(), 1U);
  EXPECT_EQ(
      conf.warnings[0],
      "/mender_conf/servers/1: 'http://b.example' is not encrypted, and no client certificate "
      "is asked for there: use https:// but for tests");
}

TEST(ConfEntries, ExcludeEachOtherAsClientsHaveIt) {
  const auto refused = [](std::string_view conf, const std::string& message) {
    EXPECT_THAT(parse(conf), FailsWith(Code::invalid_input, "batch/m.json: " + message)) << conf;
  };
  refused(R"({"server_url": "https://a", "servers": ["https://b"]})",
          "/mender_conf: 'server_url' and 'servers' exclude each other; give one of them");
  const std::string same = ", which is the same setting: leave one of them out";
  refused(R"({"server_url": "https://a", "merge": {"serverurl": "https://b"}})",
          "/mender_conf/server_url: 'merge' has 'ServerURL' too" + same);
  refused(R"({"servers": ["https://a"], "merge": {"Servers": []}})",
          "/mender_conf/servers: 'merge' has 'Servers' too" + same);
  refused(R"({"server_url": "https://a", "merge": {"Servers": []}})",
          "/mender_conf/server_url: 'merge' has 'Servers', and clients refuse that together with "
          "'ServerURL': leave one of them out");
  refused(R"({"servers": ["https://a"], "merge": {"ServerURL": "https://b"}})",
          "/mender_conf/servers: 'merge' has 'ServerURL', and clients refuse that together with "
          "'Servers': leave one of them out");
  refused(R"({"tenant_token": "t", "merge": {"TenantToken": "u"}})",
          "/mender_conf/tenant_token: 'merge' has 'TenantToken' too" + same);
  refused(R"({"server_certificate": "c", "merge": {"ServerCertificate": "/c"}})",
          "/mender_conf/server_certificate: 'merge' has 'ServerCertificate' too" + same);
  refused(R"({"artifact_verify_key": "k", "merge": {"ArtifactVerifyKeys": ["/k"]}})",
          "/mender_conf/artifact_verify_key: 'merge' has 'ArtifactVerifyKeys', and clients refuse "
          "that together with 'ArtifactVerifyKey': leave one of them out");
  refused(R"({"artifact_verify_key": ["k"], "merge": {"ArtifactVerifyKeys": ["/k"]}})",
          "/mender_conf/artifact_verify_key: 'merge' has 'ArtifactVerifyKeys' too" + same);
  // To remove what excludes it is no contradiction.
  EXPECT_THAT(parse(R"({"server_url": "https://a", "merge": {"Servers": null}})"), IsOk());
}

TEST(ConfEntries, AreNotNamedTwice) {
  const auto refused = [](std::string_view conf, const std::string& message) {
    EXPECT_THAT(parse(conf), FailsWith(Code::invalid_input, "batch/m.json: " + message)) << conf;
  };
  for (const std::string again :
       {"https://a.example", "https://a.example/", "https://A.Example", "https://a.example:443"}) {
    refused(R"({"servers": ["https://b", "https://a.example", ")" + again + R"("]})",
            "/mender_conf/servers/2: '" + again +
                "' is the same server as 'https://a.example' before it: name it once");
  }
  refused(R"({"artifact_verify_key": ["v.pem", "w.pem", "./v.pem"]})",
          "/mender_conf/artifact_verify_key/2: 'batch/./v.pem' is named twice: name it once");
  EXPECT_THAT(parse("{}", {.server_urls = {"https://a", "https://a/"}}),
              FailsWith(Code::invalid_input,
                        "--server-url: 'https://a/' is the same server as 'https://a' before it: "
                        "name it once"));
  EXPECT_THAT(parse("{}", {.artifact_verify_keys = {"v.pem", "v.pem"}}),
              FailsWith(Code::invalid_input,
                        "--artifact-verify-key: 'v.pem' is named twice: name it once"));
  // Not the same: another scheme, port or path, however alike.
  EXPECT_THAT(
      parse(R"({"servers": ["https://a", "http://a", "https://a:444", "https://a/x", "https://a/X",
                "https://a:80", "http://a:443", "https://[::1]", "https://[::1:443]:444"],
                "artifact_verify_key": ["v.pem", "V.pem", "d/v.pem"]})"),
      IsOk());
}

TEST(ConfEntries, WantPlacesOfTheirOwn) {
  auto document = nlohmann::ordered_json::parse(R"({
    "version": 1, "image": "i", "authority": {"certificate": "c", "key": "k"}, "devices": "d.csv",
    "mender_conf": {"server_certificate": "s.crt"},
    "files": [{"from": "x", "to": "/etc/mender/server.crt"}]})");
  EXPECT_THAT(
      parse_manifest(document.dump(), "m.json"),
      FailsWith(Code::invalid_input,
                "m.json: /files/0/to: '/etc/mender/server.crt' and '/etc/mender/server.crt' "
                "of /mender_conf/server_certificate cannot both be there"));
}

TEST(ConfEntries, GiveWayToFlags) {
  const MenderConfSpec conf = parse(R"({"server_url": "http://a", "server_certificate": "old.crt",
                "merge": {"TenantToken": "t"}})",
                                    {.server_urls = {"https://b", "https://c"},
                                     .tenant_token_file = "token",
                                     .server_certificate = "new.crt",
                                     .artifact_verify_keys = {"v.pem"}})
                                  .value()
                                  .mender_conf;
  EXPECT_THAT(conf.servers, testing::ElementsAre("https://b", "https://c"));
  EXPECT_TRUE(conf.server_list);
  EXPECT_TRUE(conf.warnings.empty()) << "of a server that is not meant any more";
  EXPECT_EQ(conf.server_certificate->from, "new.crt");
  EXPECT_EQ(conf.server_certificate->named, "--server-certificate");
  EXPECT_EQ(std::get<authority::PassphraseSource>(conf.tenant_token).argument, "token");
  EXPECT_EQ(conf.artifact_verify_keys.at(0).named, "--artifact-verify-key");
  EXPECT_THAT(parse("{}", {.server_urls = {"ftp://x"}}),
              FailsWith(Code::invalid_input,
                        "--server-url: 'ftp://x': a server's URL begins with https://"));
}

}  // namespace
}  // namespace imprint::manifest
