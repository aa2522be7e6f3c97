// The entries of mender_conf as devices find them: settings by jq, files by debugfs; and what is
// refused while planning.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "device_proof.hpp"
#include "refusal.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;
using testing::HasSubstr;
using testing::Not;

/// A self-signed certificate by openssl, NAME.crt and NAME.key.
void make_certificate(const std::string& name, const std::vector<std::string>& more = {}) {
  std::vector<std::string> command = {
      "req",         "-x509", "-newkey",    "ec",      "-pkeyopt",    "ec_paramgen_curve:P-256",
      "-nodes",      "-days", "3650",       "-keyout", name + ".key", "-out",
      name + ".crt", "-subj", "/CN=" + name};
  command.insert(command.end(), more.begin(), more.end());
  openssl(command);
}

void make_verify_key(const std::string& name, const std::vector<std::string>& kind) {
  std::vector<std::string> generate{"genpkey", "-out", name + ".key"};
  generate.insert(generate.end(), kind.begin(), kind.end());
  openssl(generate);
  openssl({"pkey", "-in", name + ".key", "-pubout", "-out", name + ".pem"});
}

const std::vector<std::string> kRsa = {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"};
const std::vector<std::string> kEc = {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"};

/// `jq FILTER` of a file in the image.
std::string jq(const ImageOracle& image, int partition, const std::string& path,
               const std::string& filter) {
  const auto result = run_command({"jq", "-cr", filter}, image.cat(partition, path));
  EXPECT_EQ(result.status, 0) << result.err;
  return result.out;
}

/// A folder whose manifest says nothing of servers yet, with all that entries can name.
class EntriesFolder : public BatchFolder {
 public:
  explicit EntriesFolder(Variant variant = Variant::populated) : BatchFolder(variant, 1) {
    make_certificate("server");
    make_verify_key("rsa", kRsa);
    make_verify_key("ec", kEc);
    write("token", "eyJ0.tenant-7.sig\n");
    fs::permissions("token", fs::perms::owner_read | fs::perms::owner_write);
    manifest["mender_conf"] = {{"target", "rootfs"}};
    manifest["files"] = Json::array();
    save();
  }

  void entries(const Json& conf) {
    manifest["mender_conf"] = conf;
    save();
  }
};

TEST(ConfEntriesInImages, SettingAndFileComeTogetherInBothRootfs) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("jq");
  EntriesFolder folder;
  folder.entries({{"server_url", "https://mtls.example.com"},
                  {"tenant_token", "file:token"},
                  {"server_certificate", "server.crt"},
                  {"artifact_verify_key", "rsa.pem"}});
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.out + made.err + slurp("out/report.json"), Not(HasSubstr("eyJ0")));
  const ImageOracle image("out/unit-1.sdimg");
  for (const int rootfs : {kRootfsA, kRootfsB}) {
    EXPECT_EQ(jq(image, rootfs, "/etc/mender/mender.conf",
                 "[.ServerURL, .TenantToken, .ServerCertificate, .ArtifactVerifyKey]"),
              R"(["https://mtls.example.com","eyJ0.tenant-7.sig","/etc/mender/server.crt",)"
              R"("/etc/mender/artifact-verify-key.pem"])"
              "\n");
    EXPECT_EQ(image.cat(rootfs, "/etc/mender/server.crt"), slurp("server.crt"));
    EXPECT_EQ(image.attributes(rootfs, "/etc/mender/server.crt"), "0644 0:0");
    EXPECT_EQ(image.cat(rootfs, "/etc/mender/artifact-verify-key.pem"), slurp("rsa.pem"));
    EXPECT_EQ(image.complaints(rootfs), "");
  }
  EXPECT_EQ(imprint({"verify", "out/unit-1.sdimg", "--ca", "ca/ca-cert.pem"}).status, 0);
}

TEST(ConfEntriesInImages, ListsTakeThePlaceOfSingleSettingsInBothFiles) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("jq");
  EntriesFolder folder;
  folder.entries({{"target", "both"},
                  {"servers", {"https://a.example.com", "https://b.example.com"}},
                  {"artifact_verify_key", {"rsa.pem", "ec.pem"}},
                  {"server_certificate", "server.crt"}});
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const ImageOracle image("out/unit-1.sdimg");
  const auto expect_lists = [&](int partition, const std::string& path) {
    EXPECT_EQ(
        jq(image, partition, path,
           "[has(\"ServerURL\"), [.Servers[].ServerURL], .ArtifactVerifyKeys, "
           ".ServerCertificate]"),
        R"([false,["https://a.example.com","https://b.example.com"],)"
        R"(["/data/mender/artifact-verify-key-1.pem","/data/mender/artifact-verify-key-2.pem"],)"
        R"("/data/mender/server.crt"])"
        "\n");
  };
  expect_lists(kRootfsA, "/etc/mender/mender.conf");
  expect_lists(kData, "/mender/mender.conf");
  EXPECT_EQ(image.cat(kData, "/mender/server.crt"), slurp("server.crt"));
  EXPECT_EQ(image.cat(kData, "/mender/artifact-verify-key-2.pem"), slurp("ec.pem"));
  EXPECT_EQ(image.attributes(kData, "/mender/artifact-verify-key-1.pem"), "0644 0:0");
  EXPECT_FALSE(image.exists(kRootfsA, "/etc/mender/server.crt"));
}

TEST(ConfEntriesInImages, TheDryRunListsThemWithoutTheToken) {
  IMPRINT_NEED_IMAGES();
  EntriesFolder folder;
  folder.entries({{"server_url", "https://mtls.example.com"},
                  {"tenant_token", "file:token"},
                  {"server_certificate", "server.crt"},
                  {"artifact_verify_key", "rsa.pem"}});
  const auto plan = imprint({"batch", "manifest.json", "--dry-run"});
  ASSERT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("setting      ServerURL: https://mtls.example.com\n"
                                  "setting      TenantToken: (not shown)\n"
                                  "setting      ServerCertificate: /etc/mender/server.crt\n"
                                  "setting      ArtifactVerifyKey: "
                                  "/etc/mender/artifact-verify-key.pem\n"
                                  "shared file  /etc/mender/artifact-verify-key.pem (partition 2)\n"
                                  "shared file  /etc/mender/server.crt (partition 2)\n"
                                  "shared file  /etc/mender/artifact-verify-key.pem (partition 3)\n"
                                  "shared file  /etc/mender/server.crt (partition 3)\n"
                                  "shared file  /etc/mender/mender.conf (partition 2)\n"
                                  "shared file  /etc/mender/mender.conf (partition 3)\n"
                                  "file         /data/mender/"));
  EXPECT_THAT(plan.out + plan.err, Not(HasSubstr("eyJ0")));

  folder.entries({{"target", "both"},
                  {"servers", {"https://a.example.com", "https://b.example.com"}},
                  {"tenant_token", "eyJ0.in-the-manifest.sig"},
                  {"artifact_verify_key", {"rsa.pem", "ec.pem"}}});
  const auto lists = imprint({"batch", "manifest.json", "--dry-run", "--json"});
  ASSERT_EQ(lists.status, 0) << lists.err;
  EXPECT_THAT(lists.out + lists.err, Not(HasSubstr("eyJ0")));
  const Json record = Json::parse(lists.out).at("plan");
  EXPECT_EQ(
      record.at("settings"),
      Json({"Servers: https://a.example.com, https://b.example.com", "TenantToken: (not shown)",
            "ArtifactVerifyKeys: /data/mender/artifact-verify-key-1.pem, "
            "/data/mender/artifact-verify-key-2.pem"}));
  EXPECT_EQ(record.at("shared_files"),
            Json({"/data/mender/artifact-verify-key-1.pem (partition 4)",
                  "/data/mender/artifact-verify-key-2.pem (partition 4)",
                  "/etc/mender/mender.conf (partition 2)", "/etc/mender/mender.conf (partition 3)",
                  "/data/mender/mender.conf (partition 4)"}));
  EXPECT_FALSE(fs::exists("out/ledger.db"));
}

TEST(ConfEntriesInImages, InjectTakesThemByFlags) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("jq");
  EntriesFolder folder;
  folder.own_image();
  const auto made =
      imprint({"inject", "own.sdimg", "--id", "u", "--ca", "ca", "--server-url",
               "http://mtls.example.com", "--tenant-token-file", "token", "--server-certificate",
               "server.crt", "--artifact-verify-key", "ec.pem"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("warning: --server-url: 'http://mtls.example.com' is not "
                                  "encrypted"));
  EXPECT_THAT(made.err, Not(HasSubstr("eyJ0")));
  const ImageOracle image("own.sdimg");
  EXPECT_EQ(jq(image, kRootfsA, "/etc/mender/mender.conf", "[.ServerURL, .TenantToken]"),
            "[\"http://mtls.example.com\",\"eyJ0.tenant-7.sig\"]\n");
  EXPECT_EQ(image.cat(kRootfsA, "/etc/mender/artifact-verify-key.pem"), slurp("ec.pem"));
}

TEST(ConfEntriesInImages, WhatTheOtherFileSaysIsNotOverruledInSilence) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  EntriesFolder folder;
  folder.own_image();
  folder.write("fallback", R"({"Servers": [{"ServerURL": "https://old.example.com"}]})");
  ASSERT_EQ(
      imprint({"install", "-m", "600", "fallback", "own.sdimg:/data/mender/mender.conf"}).status,
      0);
  folder.entries({{"server_url", "https://mtls.example.com"}});
  const auto both = imprint({"batch", "manifest.json", "--dry-run"});
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err,
              HasSubstr("'ServerURL' in '/etc/mender/mender.conf' and 'Servers' in "
                        "'/data/mender/mender.conf': clients refuse the two together, remove one"));

  // In the file that is written the one takes the other's place, in the other it is too late.
  folder.entries({{"target", "both"}, {"server_url", "https://mtls.example.com"}});
  EXPECT_EQ(imprint({"batch", "manifest.json", "--dry-run"}).status, 0);
  folder.write("fallback", "{}");
  folder.write("main", R"({"ServerURL": "https://old.example.com"})");
  for (const char* change :
       {"fallback own.sdimg:/data/mender/mender.conf", "main own.sdimg:/etc/mender/mender.conf"}) {
    const std::string words = change;
    const std::size_t space = words.find(' ');
    ASSERT_EQ(
        imprint({"install", "-m", "600", words.substr(0, space), words.substr(space + 1)}).status,
        0);
  }
  folder.entries({{"target", "data"}, {"server_url", "https://mtls.example.com"}});
  const auto overridden = imprint({"batch", "manifest.json", "--dry-run"});
  EXPECT_EQ(overridden.status, 2);
  EXPECT_THAT(overridden.err, HasSubstr("ServerURL would not be what the manifest says: another "
                                        "file of the image overrides it; set mender_conf.target to "
                                        "'both'"));
}

Refusal refused(std::string name, Json conf, std::string message, int status = 2) {
  return {.name = std::move(name),
          .spoil =
              [conf = std::move(conf)](BatchFolder& folder) {
                make_certificate("server");
                make_certificate("client", {"-addext", "extendedKeyUsage=clientAuth", "-addext",
                                            "basicConstraints=critical,CA:FALSE"});
                make_verify_key("rsa", kRsa);
                make_verify_key("ed", {"-algorithm", "ED25519"});
                openssl({"x509", "-in", "server.crt", "-outform", "DER", "-out", "server.der"});
                folder.write("both.pem", slurp("server.crt") + slurp("server.key"));
                folder.write("two.pem", slurp("rsa.pem") + slurp("rsa.pem"));
                folder.write("copy.pem", "a copy\n" + slurp("rsa.pem"));
                folder.write("token", "two words\n");
                fs::permissions("token", fs::perms::owner_read | fs::perms::owner_write);
                folder.manifest["mender_conf"] = conf;
                folder.manifest["files"] = Json::array();
                folder.save();
              },
          .message = std::move(message),
          .status = status};
}

TEST(ConfEntriesInImages, FilesThatClientsCannotUseAreRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("openssl");
  const std::string certificate = "manifest.json: /mender_conf/server_certificate: ";
  const std::string key = "manifest.json: /mender_conf/artifact_verify_key: ";
  expect_refusals({
      refused("missing certificate", {{"server_certificate", "gone.crt"}},
              certificate + "'gone.crt' is no file"),
      refused("missing key", {{"artifact_verify_key", {"rsa.pem", "gone.pem"}}},
              "manifest.json: /mender_conf/artifact_verify_key/1: 'gone.pem' is no file"),
      refused("certificate and key", {{"server_certificate", "both.pem"}},
              certificate +
                  "'both.pem': holds a private key, which all devices would get: give the "
                  "certificate alone"),
      refused("DER", {{"server_certificate", "server.der"}},
              certificate + "'server.der': holds no PEM certificate, which is what clients read "
                            "('-----BEGIN CERTIFICATE-----'; of DER: openssl x509 -inform der)"),
      refused("a client's certificate", {{"server_certificate", "client.crt"}},
              certificate + "'client.crt': 'CN=client' is neither a CA's certificate nor a "
                            "server's: give the server's, or that of the CA that issued it"),
      refused("private key", {{"artifact_verify_key", "rsa.key"}},
              key + "'rsa.key': holds a private key, which all devices would get: give the public "
                    "one ('imprint artifact-key' writes both; or openssl pkey -pubout)"),
      refused("certificate as a key", {{"artifact_verify_key", "server.crt"}},
              key + "'server.crt': holds no PEM public key ('-----BEGIN PUBLIC KEY-----'); of a "
                    "private key: openssl pkey -pubout, of a certificate: openssl x509 -noout "
                    "-pubkey"),
      refused("several keys", {{"artifact_verify_key", "two.pem"}},
              key + "'two.pem': holds several keys, of which clients read the first: give each a "
                    "file of its own, and artifact_verify_key an array"),
      refused("one key in two files", {{"artifact_verify_key", {"rsa.pem", "copy.pem"}}},
              "manifest.json: /mender_conf/artifact_verify_key/1: 'copy.pem': holds the same key "
              "as 'rsa.pem': name it once"),
      refused("Ed25519", {{"artifact_verify_key", "ed.pem"}},
              key + "'ed.pem': is a key of kind ed25519, and Artifacts are signed with RSA or "
                    "ec:P-256"),
      refused("a token with a space", {{"tenant_token", "file:token"}},
              "manifest.json: /mender_conf/tenant_token: a tenant token is one line of ASCII "
              "without spaces (it is not shown here)"),
      refused(
          "a token that is not there", {{"tenant_token", "env:IMPRINT_NO_SUCH_TOKEN"}},
          "manifest.json: /mender_conf/tenant_token: reading the tenant token from "
          "'env:IMPRINT_NO_SUCH_TOKEN': the environment variable 'IMPRINT_NO_SUCH_TOKEN' is not "
          "set; export it, or name another source"),
  });
}

TEST(ConfEntriesInImages, AnExpiredCertificateIsRefusedAndOneThatEndsSoonIsTold) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("openssl");
  EntriesFolder folder;
  make_certificate("server", {"-days", "30"});
  folder.entries({{"server_certificate", "server.crt"}});
  const auto soon = imprint({"batch", "manifest.json", "--dry-run"});
  EXPECT_EQ(soon.status, 0) << soon.err;
  EXPECT_THAT(soon.err + soon.out, HasSubstr("'server.crt': 'CN=server' ends soon, on "));

  // openssl req of Debian 12 makes none that is in the past; x509 does, by negative days.
  openssl({"x509", "-in", "server.crt", "-signkey", "server.key", "-days", "-1", "-out",
           "expired.crt"});
  folder.entries({{"server_certificate", "expired.crt"}});
  const auto expired = imprint({"batch", "manifest.json", "--dry-run"});
  EXPECT_EQ(expired.status, 2);
  EXPECT_THAT(expired.err, HasSubstr("manifest.json: /mender_conf/server_certificate: "
                                     "'expired.crt': 'CN=server' has expired, on "));
}

}  // namespace
}  // namespace imprint::cli::test
