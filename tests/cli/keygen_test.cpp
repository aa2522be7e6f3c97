// `imprint keygen`: the trees file by file against what Mender's keygen makes, the keys by openssl,
// the deployment texts by a YAML parser and against the names that Mender's servers read.

#include <csignal>
#include <cstdlib>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/base/owner.hpp"
#include "keygen_fixture.hpp"
#include "support/fault.hpp"
#include "support/nobody.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Names = std::set<std::string>;

class Keygen : public KeygenTest {
 protected:
  static void expect_pair(const std::string& folder, const std::string& subject,
                          const std::string& names) {
    EXPECT_EQ(mode_of(folder + "/private.key"), 0600U);
    EXPECT_EQ(mode_of(folder + "/cert.crt"), 0644U);
    EXPECT_EQ(openssl({"x509", "-in", folder + "/cert.crt", "-noout", "-pubkey"}),
              openssl({"pkey", "-in", folder + "/private.key", "-pubout"}));
    const std::string text = openssl({"x509", "-in", folder + "/cert.crt", "-noout", "-text"});
    EXPECT_THAT(text, HasSubstr("Subject: " + subject + "\n"));
    EXPECT_THAT(text, HasSubstr("                " + names + "\n"));
    EXPECT_THAT(text, HasSubstr("NIST CURVE: P-256"));
    EXPECT_THAT(text, HasSubstr("TLS Web Server Authentication"));
    EXPECT_THAT(text, Not(HasSubstr("CA:TRUE")));
    // Ten years, as keygen's -days 3650.
    openssl({"x509", "-in", folder + "/cert.crt", "-noout", "-checkend",
             std::to_string(3650L * 86400 - 60)});
    EXPECT_EQ(run_command({"openssl", "x509", "-in", folder + "/cert.crt", "-noout", "-checkend",
                           std::to_string(3650L * 86400 + 60)})
                  .status,
              1);
  }

  static void expect_service_key(const std::string& file) {
    EXPECT_EQ(mode_of(file), 0600U);
    EXPECT_THAT(slurp(file), StartsWith("-----BEGIN RSA PRIVATE KEY-----\n"));
    EXPECT_THAT(openssl({"rsa", "-in", file, "-noout", "-check", "-text"}),
                HasSubstr("(3072 bit, 2 primes)"));
    EXPECT_EQ(openssl({"rsa", "-in", file, "-traditional"}), slurp(file));
  }
};

TEST_F(Keygen, TheCurrentTree) {
  IMPRINT_NEED_COMMAND("openssl");
  const auto made = ok({"keygen", "--cn", "mender.example.com"});
  EXPECT_EQ(made.out, "");
  EXPECT_EQ(
      files_in("keys-generated"),
      (Names{"cert/cert.crt", "cert/private.key", "cert/server.crt", "keys/deviceauth/private.key",
             "keys/useradm/private.key", "docker-compose.override.yml", "helm-values.yaml"}));
  expect_pair("keys-generated/cert", "CN = mender.example.com",
              "DNS:mender.example.com, DNS:*.mender.example.com");
  expect_service_key("keys-generated/keys/deviceauth/private.key");
  expect_service_key("keys-generated/keys/useradm/private.key");
  EXPECT_NE(slurp("keys-generated/keys/deviceauth/private.key"),
            slurp("keys-generated/keys/useradm/private.key"));
  EXPECT_EQ(slurp("keys-generated/cert/server.crt"), slurp("keys-generated/cert/cert.crt"));
  EXPECT_EQ(mode_of("keys-generated/helm-values.yaml"), 0600U) << "it holds private keys";
  EXPECT_EQ(files_in(".").size(), 7U) << "nothing beside the folder";
}

TEST_F(Keygen, TheClassicTree) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"keygen", "--layout", "classic", "--api-cn", "mender.example.com", "--storage-cn",
      "s3.example.com", "--out", "old"});
  EXPECT_EQ(files_in("old"),
            (Names{"certs/api-gateway/cert.crt", "certs/api-gateway/private.key",
                   "certs/storage-proxy/cert.crt", "certs/storage-proxy/private.key",
                   "certs/server.crt", "keys/deviceauth/private.key", "keys/useradm/private.key",
                   "docker-compose.override.yml", "helm-values.yaml"}));
  expect_pair("old/certs/api-gateway", "CN = mender.example.com", "DNS:mender.example.com");
  expect_pair("old/certs/storage-proxy", "CN = s3.example.com", "DNS:s3.example.com");
  EXPECT_EQ(slurp("old/certs/server.crt"),
            slurp("old/certs/api-gateway/cert.crt") + slurp("old/certs/storage-proxy/cert.crt"));
}

TEST_F(Keygen, TheVariablesOfKeygenAreRead) {
  ::setenv("CERT_CN", "env.example.com", 1);
  ::setenv("CERT_SAN", "DNS:env.example.com, IP:192.0.2.7", 1);
  ok({"keygen", "--service-key", "ed25519", "--out", "env"});
  expect_pair("env/cert", "CN = env.example.com", "DNS:env.example.com, IP Address:192.0.2.7");
  ok({"keygen", "--service-key", "ed25519", "--out", "flag", "--cn", "flag.example.com", "--san",
      "b.example.com"});
  expect_pair("flag/cert", "CN = flag.example.com", "DNS:flag.example.com, DNS:b.example.com");
  ::unsetenv("CERT_CN");
  ::unsetenv("CERT_SAN");
  ::setenv("CERT_API_CN", "api.example.com", 1);
  ::setenv("CERT_STORAGE_CN", "s3.example.com", 1);
  ok({"keygen", "--service-key", "ed25519", "--out", "classic"});
  expect_pair("classic/certs/storage-proxy", "CN = s3.example.com", "DNS:s3.example.com");
  ::setenv("CERT_CN", "env.example.com", 1);
  refused({"keygen", "--out", "both"},
          "names for both layouts are given (CERT_CN or --cn, and CERT_API_CN or --api-cn or their "
          "like); say which is meant with --layout classic or --layout current");
  ::unsetenv("CERT_STORAGE_CN");
  refused({"keygen", "--out", "half", "--layout", "classic"},
          "the classic layout needs --storage-cn (or CERT_STORAGE_CN): the host name by which "
          "devices reach the storage proxy");
  ::setenv("CERT_CN", "*.com", 1);
  refused({"keygen", "--out", "bad", "--layout", "current"},
          "CERT_CN: '*.com' is a wildcard over a single label, which clients refuse; give two "
          "labels at least after it, like *.example.com (or give the names with --san)");
}

TEST_F(Keygen, WithoutAnyNameItIsTheDefaultOfKeygen) {
  const auto made = ok({"keygen", "--service-key", "ed25519", "--json"});
  EXPECT_THAT(made.err, HasSubstr("the certificate is for 'docker.mender.io', as nothing else was "
                                  "said; give --cn for another host name\n"));
  const Json record = Json::parse(made.out);
  EXPECT_EQ(record["certificates"][0]["subject"], "CN=docker.mender.io");
  EXPECT_EQ(record["certificates"][0]["certificate"], "keys-generated/cert/cert.crt");
  EXPECT_EQ(record["trust"], "keys-generated/cert/server.crt");
  EXPECT_EQ(record["service_keys"][1], "keys-generated/keys/useradm/private.key");
}

TEST_F(Keygen, ServiceKeysMayBeEd25519) {
  ok({"keygen", "--cn", "a.example.com", "--service-key", "ed25519"});
  for (const char* const service : {"deviceauth", "useradm"}) {
    const std::string file = std::string("keys-generated/keys/") + service + "/private.key";
    EXPECT_THAT(slurp(file), StartsWith("-----BEGIN PRIVATE KEY-----\n"));
    EXPECT_THAT(openssl({"pkey", "-in", file, "-noout", "-text"}), HasSubstr("ED25519"));
  }
  refused({"keygen", "--cn", "a.example.com", "--out", "x", "--service-key", "ec:P-256"},
          "--service-key: 'ec:P-256' is no key that Mender's services sign with; known are "
          "rsa:2048, rsa:3072, rsa:4096, and for servers from 4.0 on ed25519");
}

/// Signs as deviceauth and useradm do, and verifies with the public half that openssl takes out.
void expect_token(const std::string& file, const std::string& algorithm) {
  const auto token =
      run_command({kPython, "-c",
                   "import sys, jwt\nprint(jwt.encode({'sub': 'device', 'iss': 'Mender'}, "
                   "open(sys.argv[1]).read(), algorithm=sys.argv[2]))",
                   file, algorithm});
  ASSERT_EQ(token.status, 0) << token.err;
  const auto public_key = run_command({"openssl", "pkey", "-in", file, "-pubout"});
  const auto verified =
      run_command({kPython, "-c",
                   "import sys, jwt\nprint(jwt.decode(sys.argv[1], sys.argv[2], "
                   "algorithms=[sys.argv[3]])['sub'])",
                   token.out.substr(0, token.out.size() - 1), public_key.out, algorithm});
  EXPECT_EQ(verified.out, "device\n") << verified.err;
}

TEST_F(Keygen, TheServiceKeysSignTokens) {
  IMPRINT_NEED_PYTHON_MODULE("jwt");
  IMPRINT_NEED_PYTHON_MODULE("cryptography");
  ok({"keygen", "--cn", "a.example.com", "--out", "rsa"});
  expect_token("rsa/keys/deviceauth/private.key", "RS256");
  expect_token("rsa/keys/useradm/private.key", "RS256");
  ok({"keygen", "--cn", "a.example.com", "--out", "ed", "--service-key", "ed25519"});
  expect_token("ed/keys/useradm/private.key", "EdDSA");
}

TEST_F(Keygen, SignedByACa) {
  ok({"ca", "init", "root", "--cn", "Test Root"});
  ok({"ca", "init", "ca", "--cn", "Test Issuing", "--parent", "root"});
  ok({"keygen", "--service-key", "ed25519", "--cn", "mender.example.com", "--ca", "ca", "--out",
      "out"});
  // The server sends the issuing CA along; clients trust the root.
  EXPECT_THAT(slurp("out/cert/cert.crt"), testing::EndsWith(slurp("ca/ca-cert.pem")));
  EXPECT_EQ(slurp("out/cert/server.crt"), slurp("root/ca-cert.pem"));
  openssl({"verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "out/cert/server.crt",
           "-untrusted", "out/cert/cert.crt", "-verify_hostname", "s3.mender.example.com",
           "out/cert/cert.crt"});
  EXPECT_EQ(sql("ca/ledger.db", "SELECT device_id, state FROM devices"),
            "mender.example.com|placed");
  EXPECT_EQ(sql("ca/ledger.db", "SELECT command, exit_status FROM runs"), "keygen|0");
  EXPECT_THAT(sql("ca/ledger.db", "SELECT file FROM devices"),
              testing::EndsWith("/out/cert/cert.crt"));

  // Two certificates, and a passphrase that is read once.
  dir_.write("pass", "secret\n");
  fs::permissions("pass", fs::perms::owner_read | fs::perms::owner_write);
  ok({"ca", "init", "sealed", "--passphrase", "file:pass"});
  ok({"keygen", "--service-key", "ed25519", "--layout", "classic", "--api-cn", "a.example.com",
      "--storage-cn", "s.example.com", "--ca", "sealed", "--passphrase", "file:pass", "--ledger",
      "own.db", "--out", "classic"});
  EXPECT_EQ(slurp("classic/certs/server.crt"), slurp("sealed/ca-cert.pem"));
  EXPECT_EQ(sql("own.db", "SELECT device_id, state FROM devices ORDER BY device_id"),
            "a.example.com|placed\ns.example.com|placed");
}

TEST_F(Keygen, ACertificateDoesNotOutliveItsCa) {
  ok({"ca", "init", "ca", "--days", "100"});
  const CommandResult result =
      imprint({"keygen", "--cn", "a.example.com", "--ca", "ca", "--out", "out"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, StartsWith("imprint: error: --days: "));
  EXPECT_THAT(result.err, HasSubstr("CA"));
  EXPECT_FALSE(fs::exists("out"));
  EXPECT_FALSE(fs::exists("ca/ledger.db")) << "refused before anything was issued";
  ok({"keygen", "--service-key", "ed25519", "--cn", "a.example.com", "--ca", "ca", "--out", "out",
      "--days", "90"});
}

TEST_F(Keygen, NothingIsOverwrittenWithoutForce) {
  ok({"keygen", "--service-key", "ed25519", "--cn", "a.example.com"});
  fs::remove("keys-generated/cert/cert.crt");
  const auto advice = [](const std::string& file) {
    return "'keys-generated/" + file +
           "' exists and is not overwritten; choose another folder with --out, renew with 'imprint "
           "keygen rotate', or give --force to make all keys and certificates anew";
  };
  refused({"keygen", "--cn", "a.example.com"}, advice("cert/private.key"));
  fs::remove_all("keys-generated/cert");
  fs::remove("keys-generated/docker-compose.override.yml");
  fs::remove("keys-generated/helm-values.yaml");
  refused({"keygen", "--cn", "a.example.com"}, advice("keys/deviceauth/private.key"));
  refused({"keygen", "--layout", "classic", "--api-cn", "a.example.com", "--storage-cn",
           "s.example.com"},
          advice("keys/deviceauth/private.key"));
}

TEST_F(Keygen, ForceMakesAllAnewAndSaysWhatIsLost) {
  ok({"keygen", "--service-key", "ed25519", "--cn", "a.example.com"});
  const std::string certificate = slurp("keys-generated/cert/cert.crt");
  const std::string key = slurp("keys-generated/keys/useradm/private.key");
  ok({"keygen", "rotate"});
  dir_.write("keys-generated/notes.txt", "mine");
  dir_.write("keys-generated/cert/mine.pem", "mine");
  const auto again = ok({"keygen", "--service-key", "ed25519", "--cn", "a.example.com", "--force"});
  EXPECT_THAT(again.err,
              HasSubstr("imprint: warning: the key of deviceauth is another now: every token of a "
                        "device is invalid, and devices fetch new ones\n"));
  EXPECT_THAT(again.err,
              HasSubstr("imprint: warning: the key of useradm is another now: all users are logged "
                        "out, and personal access tokens are invalid for good\n"));
  EXPECT_THAT(again.err,
              HasSubstr("imprint: warning: the server's certificates are others now: devices that "
                        "trust only the old ones cannot connect\n"));
  EXPECT_NE(slurp("keys-generated/cert/cert.crt"), certificate);
  EXPECT_NE(slurp("keys-generated/keys/useradm/private.key"), key);
  EXPECT_EQ(slurp("keys-generated/notes.txt"), "mine");
  EXPECT_EQ(slurp("keys-generated/cert/mine.pem"), "mine");
  EXPECT_EQ(files_in(".").size(), 9U) << "of the rotation nothing is left";
  ok({"keygen", "rotate"});
  refused({"keygen", "--layout", "classic", "--api-cn", "a.example.com", "--storage-cn",
           "s.example.com", "--force"},
          "'keys-generated/cert' belongs to the layout 'current'; give --layout current, or choose "
          "another folder with --out");
  // In a folder that is there without keys, nothing is lost.
  fs::create_directory("empty");
  EXPECT_THAT(ok({"keygen", "--service-key", "ed25519", "--cn", "a.example.com", "--out", "empty",
                  "--force"})
                  .err,
              Not(HasSubstr("warning")));
}

TEST_F(Keygen, BadArgumentsAreRefused) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> bad = {
      {{"--layout", "old"},
       "--layout: 'old' is no layout; known are 'classic' (servers up to 3.0) and 'current' (from "
       "3.1 on)"},
      {{"--layout", "classic", "--cn", "a.example.com"},
       "--cn and --san belong to --layout current; the classic layout has two certificates, named "
       "by --api-cn and --storage-cn"},
      {{"--layout", "current", "--api-cn", "a.example.com"},
       "--api-cn and --storage-cn belong to --layout classic; the current layout has one "
       "certificate, named by --cn and --san"},
      {{"--api-cn", "a.example.com"},
       "the classic layout needs --storage-cn (or CERT_STORAGE_CN): the host name by which devices "
       "reach the storage proxy"},
      {{"--cn", "a.example.com", "--san", "DNS:a b"},
       "--san: 'a b' is no DNS name: it has a character that no host name has; use letters, "
       "digits, '-' and '.', and punycode for others (RFC 1123)"},
      {{"--cn", "a.example.com", "--days", "0"},
       "--days: a certificate for 0 days is never valid; give at least 1"},
      {{"--cn", "a.example.com", "--days", "4000000000"},
       "--days: 4000000000 days lead past the year 9999, the last a certificate can name"},
      {{"--cn", "a.example.com", "--server-version", "x"},
       "--server-version: 'x' is no version of a Mender server; write it like 3.7 or 4.0"},
      {{"--cn", "a.example.com", "--server-version", "3"},
       "--server-version: '3' is no version of a Mender server; write it like 3.7 or 4.0"},
      {{"--cn", "a.example.com", "--server-version", "2.7"},
       "--server-version 2.7: such servers read --layout classic"},
      {{"--cn", "a.example.com", "--ca", "nowhere"}, "'nowhere' is no folder; name a CA's folder"},
      {{"--print", "toml"}, "--print: 'toml' is none of the texts: 'compose', 'helm', 'secrets'"},
      {{"--cn", "a.example.com", "--out", "."},
       "'.' is the working directory or above it, and is exchanged as a whole; go elsewhere, or "
       "name a folder inside of it"},
      {{"--cn", "a.example.com", "--out", "file"}, "'file' exists and is no folder"},
  };
  dir_.write("file", "x");
  for (auto [arguments, message] : bad) {
    arguments.insert(arguments.begin(), "keygen");
    refused(arguments, message);
  }
}

TEST_F(Keygen, AFolderThatCannotBeWritten) {
  if (::geteuid() == 0) IMPRINT_NEED_COMMAND("setpriv");
  fs::create_directory("locked");
  fs::permissions(dir_.path(), fs::perms::all);
  fs::permissions("locked", fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                                fs::perms::others_exec);
  std::vector<std::string> command = {binary(),        "keygen", "--cn",
                                      "a.example.com", "--out",  "locked/keys"};
  if (::geteuid() == 0) {
    command.insert(command.begin(),
                   {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"});
  }
  const CommandResult result = run_command(command);
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(result.err, HasSubstr("locked/.keys.new': Permission denied\n"));
  EXPECT_TRUE(fs::is_empty("locked"));
}

TEST_F(Keygen, LinksInTheTreeAreRefused) {
  fs::create_directories("elsewhere");
  for (const char* const force : {"", "--force"}) {
    for (const char* const link : {"cert", "keys", "keys/useradm"}) {
      fs::create_directories(fs::path("out") / link);
      fs::remove(fs::path("out") / link);
      fs::create_directory_symlink(dir_ / "elsewhere", fs::path("out") / link);
      std::vector<std::string> command = {"keygen", "--cn", "a.example.com", "--out", "out"};
      if (*force != '\0') command.emplace_back(force);
      refused(command, std::string("'out/") + link +
                           "' is a symbolic link, and keygen makes the whole tree in one step: put "
                           "a folder in its place, or choose another folder with --out");
      fs::remove_all("out");
    }
  }
  fs::create_directory("out");
  dir_.write("out/keys", "a file");
  refused({"keygen", "--cn", "a.example.com", "--out", "out", "--force"},
          "'out/keys' is no folder, and keygen makes the whole tree in one step: put a folder in "
          "its place, or choose another folder with --out");
  fs::create_directory_symlink("gone", "link");
  const std::string dangling =
      "'link' is a symbolic link to 'gone', which does not exist; make that first, or remove the "
      "link";
  refused({"keygen", "--cn", "a.example.com", "--out", "link"}, dangling);
  refused({"keygen", "--print", "compose", "--out", "link"}, dangling);
  refused({"keygen", "rotate", "--out", "link"}, dangling);
  fs::create_directory("gone");
  ok({"keygen", "--cn", "a.example.com", "--out", "link", "--service-key", "ed25519"});
  EXPECT_EQ(files_in("gone").size(), 7U);
}

TEST_F(Keygen, FoldersThatCannotBeReadAreNotEmpty) {
  fs::permissions(dir_.path(), fs::perms::all);
  const imprint::test::ScopedNobody nobody;
  const std::vector<std::string> keygen = {"keygen", "--cn", "a.example.com", "--service-key",
                                           "ed25519"};
  std::vector<std::string> by_force = keygen;
  by_force.emplace_back("--force");
  ok(keygen);
  const fs::path service = "keys-generated/keys/useradm";
  const auto refused_as = [](const std::vector<std::string>& command, const std::string& message) {
    const CommandResult result = imprint(command);
    EXPECT_EQ(result.status, 4);
    EXPECT_EQ(result.err, "imprint: error: " + message + ": Permission denied\n");
    EXPECT_FALSE(fs::exists(".keys-generated.new"));
  };
  fs::permissions(service, fs::perms::none);
  for (const auto& command : {keygen, by_force, {"keygen", "rotate"}})
    refused_as(command, "looking for 'keys-generated/keys/useradm/private.key'");
  fs::permissions(service, fs::perms::owner_exec);
  for (const auto& command : {keygen, by_force, {"keygen", "--print", "compose"}})
    refused_as(command, "reading the folder 'keys-generated/keys/useradm'");
  fs::permissions(service, fs::perms::owner_all);
  fs::permissions("keys-generated", fs::perms::none);
  for (const auto& command : {keygen, by_force})
    refused_as(command, "looking for 'keys-generated/certs'");
  fs::permissions("keys-generated", fs::perms::owner_exec);
  refused_as(by_force, "reading the folder '" + (dir_ / "keys-generated").string() + "'");
  fs::permissions("keys-generated", fs::perms::owner_all);
  ok(by_force);
}

TEST_F(Keygen, ForceLeavesFilesToTheirOwners) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give files away";
  const std::vector<std::string> keygen = {"keygen",        "--cn",    "a.example.com",
                                           "--service-key", "ed25519", "--force"};
  const fs::path key = "keys-generated/keys/useradm/private.key";
  ok(keygen);
  ASSERT_EQ(::chown(key.c_str(), 65534, 65533), 0);
  ASSERT_EQ(::chown(key.parent_path().c_str(), 65532, 65531), 0);
  EXPECT_THAT(ok(keygen).err, Not(HasSubstr("chown")));
  EXPECT_EQ(owner_of(key), (Owner{65534, 65533}));
  EXPECT_EQ(owner_of(key.parent_path()), (Owner{65532, 65531}));
  EXPECT_EQ(owner_of("keys-generated/keys/deviceauth/private.key"), (Owner{0, 0}));
  const imprint::test::ScopedFaultHook no_privilege(
      [](std::string_view operation) { return operation == "fchown" ? EPERM : 0; });
  EXPECT_THAT(ok(keygen).err,
              HasSubstr("imprint: what was made could not be given to the owner of what it "
                        "follows: 'chown 65534:65533 keys-generated/keys/useradm/private.key' as "
                        "root\n"));
  EXPECT_EQ(owner_of(key), (Owner{0, 0}));
}

// Whichever call that changes the disk fails, there is no tree and nothing beside it, the ledger
// says that the certificates are in no file, and the same command works afterwards.
TEST_F(Keygen, AFailingCallLeavesNoTree) {
  ok({"ca", "init", "ca"});
  const std::vector<std::string> keygen = {"keygen", "--cn", "a.example.com", "--ca",   "ca",
                                           "--out",  "out",  "--service-key", "ed25519"};
  int failures = 0;
  for (int n = 1;; ++n) {
    {
      const imprint::test::FailNth fault(n, ENOSPC);
      const CommandResult result = imprint(keygen);
      if (!fault.fired()) {
        EXPECT_EQ(result.status, 0) << result.err;
        break;
      }
      ASSERT_EQ(result.status, 4) << "call " << n << ": " << result.err;
      EXPECT_THAT(result.err, HasSubstr("No space left on device"));
      ++failures;
    }
    EXPECT_FALSE(fs::exists(".out.new")) << "after failing call " << n;
    EXPECT_FALSE(fs::exists("out")) << "after failing call " << n;
  }
  EXPECT_GE(failures, 20);
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices WHERE state = 'placed'"), "1");
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices WHERE state = 'issued'"), "0");
}

// SIGKILL at any time leaves all of the tree or nothing of it, and the next run tidies up.
TEST_F(Keygen, AKillLeavesAllOrNothing) {
  int killed = 0;
  for (int round = 0; round < 30; ++round) {
    imprint::test::Process run(
        {binary(), "keygen", "--cn", "a.example.com", "--service-key", "ed25519"}, "log");
    std::this_thread::sleep_for(std::chrono::microseconds(round * 700));
    run.signal(SIGKILL);
    if (run.wait() != 0) ++killed;
    if (!fs::exists("keys-generated")) continue;
    EXPECT_EQ(files_in("keys-generated").size(), 7U) << "round " << round;
    fs::remove_all("keys-generated");
  }
  EXPECT_GE(killed, 3);
  ok({"keygen", "--cn", "a.example.com"});
  EXPECT_EQ(files_in("keys-generated").size(), 7U);
  EXPECT_FALSE(fs::exists(".keys-generated.new"));
}

}  // namespace
}  // namespace imprint::cli::test
