// `imprint keygen rotate`: the steps of a rotation, what is refused at each, reruns, and kills in
// between.

#include <csignal>
#include <thread>

#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "keygen_fixture.hpp"
#include "support/fault.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Names = std::set<std::string>;

const Names kSteady = {"cert/cert.crt",
                       "cert/private.key",
                       "cert/server.crt",
                       "keys/deviceauth/private.key",
                       "keys/useradm/private.key",
                       "docker-compose.override.yml",
                       "helm-values.yaml"};

Names with(Names names, std::initializer_list<std::string> more) {
  names.insert(more);
  return names;
}

class Rotate : public KeygenTest {
 protected:
  Rotate() {
    ok({"keygen", "--cn", "mender.example.com", "--san", "DNS:s3.example.org,IP:192.0.2.7",
        "--service-key", "ed25519"});
  }

  static std::string subject_names(const fs::path& certificate) {
    return openssl(
        {"x509", "-in", certificate.string(), "-noout", "-subject", "-ext", "subjectAltName"});
  }

  static std::string state(const std::string& json) {
    return Json::parse(json)["state"].get<std::string>();
  }

  const fs::path cert_ = "keys-generated/cert";
};

TEST_F(Rotate, ThreeSteps) {
  const std::string old_certificate = slurp(cert_ / "cert.crt");
  const std::string old_key = slurp(cert_ / "private.key");
  const std::string names = subject_names(cert_ / "cert.crt");

  EXPECT_EQ(state(ok({"keygen", "rotate", "--json"}).out), "begun");
  EXPECT_EQ(files_in("keys-generated"),
            with(kSteady, {"cert/next/cert.crt", "cert/next/private.key"}));
  EXPECT_EQ(slurp(cert_ / "cert.crt"), old_certificate);
  EXPECT_EQ(slurp(cert_ / "private.key"), old_key);
  const std::string next_certificate = slurp(cert_ / "next/cert.crt");
  EXPECT_EQ(subject_names(cert_ / "next/cert.crt"), names);
  EXPECT_EQ(slurp(cert_ / "server.crt"), old_certificate + next_certificate);
  EXPECT_EQ(mode_of(cert_ / "next/private.key"), 0600U);
  EXPECT_NE(slurp(cert_ / "next/private.key"), old_key);

  EXPECT_EQ(state(ok({"keygen", "rotate", "--switch", "--json"}).out), "switched");
  EXPECT_EQ(files_in("keys-generated"),
            with(kSteady, {"cert/old/cert.crt", "cert/old/private.key"}));
  EXPECT_EQ(slurp(cert_ / "cert.crt"), next_certificate);
  EXPECT_EQ(slurp(cert_ / "old/cert.crt"), old_certificate);
  EXPECT_EQ(slurp(cert_ / "old/private.key"), old_key);
  EXPECT_EQ(slurp(cert_ / "server.crt"), old_certificate + next_certificate);
  EXPECT_EQ(mode_of(cert_ / "private.key"), 0600U);

  EXPECT_EQ(state(ok({"keygen", "rotate", "--finish", "--json"}).out), "steady");
  EXPECT_EQ(files_in("keys-generated"), kSteady);
  EXPECT_EQ(slurp(cert_ / "cert.crt"), next_certificate);
  EXPECT_EQ(slurp(cert_ / "server.crt"), next_certificate);
  EXPECT_EQ(files_in(".").size(), kSteady.size()) << "nothing beside the folder";
}

TEST_F(Rotate, TheValuesForHelmFollow) {
  // The first line of the base64 has the serial. (A matcher would show private keys.)
  const auto values_have = [](const fs::path& certificate) {
    constexpr std::size_t kHeading = std::string_view("-----BEGIN CERTIFICATE-----\n").size();
    return slurp("keys-generated/helm-values.yaml").find(slurp(certificate).substr(kHeading, 64)) !=
           std::string::npos;
  };
  ok({"keygen", "rotate"});
  EXPECT_TRUE(values_have(cert_ / "cert.crt"));
  EXPECT_FALSE(values_have(cert_ / "next/cert.crt"));
  ok({"keygen", "rotate", "--switch"});
  EXPECT_TRUE(values_have(cert_ / "cert.crt"));
  EXPECT_FALSE(values_have(cert_ / "old/cert.crt"));
}

TEST_F(Rotate, EachStepSaysWhatIsNext) {
  const auto begun = ok({"keygen", "rotate"});
  EXPECT_EQ(begun.out, "");
  EXPECT_THAT(begun.err,
              HasSubstr("imprint: now: bring keys-generated/cert/server.crt to all clients; it "
                        "holds the old and the new trust\n"));
  EXPECT_THAT(begun.err, HasSubstr("imprint: then, before 20"));
  EXPECT_THAT(begun.err, HasSubstr("drops the old one\n"));
  EXPECT_THAT(begun.err, Not(HasSubstr("warning")));
  const auto switched = ok({"keygen", "rotate", "--switch"});
  EXPECT_THAT(switched.err, HasSubstr("imprint: now: restart the server's gateway, it has another "
                                      "certificate\n"));
  EXPECT_THAT(switched.err, HasSubstr("drops the old certificate, which ends on 20"));
  EXPECT_THAT(ok({"keygen", "rotate", "--finish"}).err,
              HasSubstr("imprint: keys-generated/cert/server.crt: the trust for what the server "
                        "uses, until 20"));
}

TEST_F(Rotate, StepsThatWereDoneChangeNothing) {
  const auto unchanged = [](std::vector<std::string> arguments, const std::string& state_after) {
    arguments.insert(arguments.begin(), {"keygen", "rotate"});
    arguments.emplace_back("--json");
    const auto before = listing(".");
    const Json record = Json::parse(ok(arguments).out);
    EXPECT_EQ(record["changed"], false);
    EXPECT_EQ(record["state"], state_after);
    EXPECT_EQ(listing("."), before);
  };
  unchanged({"--finish"}, "steady");
  ok({"keygen", "rotate"});
  unchanged({}, "begun");
  ok({"keygen", "rotate", "--switch"});
  unchanged({"--switch"}, "switched");
  ok({"keygen", "rotate", "--finish"});
  unchanged({"--finish"}, "steady");
}

TEST_F(Rotate, StepsOutOfOrderAreRefused) {
  refused({"keygen", "rotate", "--switch"},
          "no rotation has begun, there is nothing to switch to; begin one with 'imprint keygen "
          "rotate'");
  ok({"keygen", "rotate"});
  refused({"keygen", "rotate", "--finish"},
          "the server still uses the old certificate; give --switch first, when all clients have "
          "the new 'server.crt'");
  ok({"keygen", "rotate", "--switch"});
  refused({"keygen", "rotate"},
          "the rotation before this one is not finished: give --finish when all clients have the "
          "new 'server.crt' and the server runs with the new certificate");
}

TEST_F(Rotate, NamesMayChange) {
  ok({"keygen", "rotate", "--cn", "new.example.com"});
  EXPECT_THAT(subject_names(cert_ / "next/cert.crt"),
              HasSubstr("DNS:new.example.com, DNS:*.new.example.com"));
  refused({"keygen", "rotate", "--san", "a.example.com"},
          "--san needs --cn, the server's host name, beside it");
  refused({"keygen", "rotate", "--api-cn", "a.example.com"},
          "--api-cn and --storage-cn belong to --layout classic; the current layout has one "
          "certificate, named by --cn and --san");
}

TEST_F(Rotate, TheClassicTreeRotatesAsAWhole) {
  ok({"keygen", "--layout", "classic", "--api-cn", "a.example.com", "--storage-cn", "s.example.com",
      "--out", "classic", "--service-key", "ed25519"});
  const fs::path certs = "classic/certs";
  const std::string trust = slurp(certs / "server.crt");
  ok({"keygen", "rotate", "--out", "classic"});
  EXPECT_EQ(slurp(certs / "server.crt"), trust + slurp(certs / "api-gateway/next/cert.crt") +
                                             slurp(certs / "storage-proxy/next/cert.crt"));
  ok({"keygen", "rotate", "--out", "classic", "--switch"});
  ok({"keygen", "rotate", "--out", "classic", "--finish"});
  EXPECT_EQ(slurp(certs / "server.crt"),
            slurp(certs / "api-gateway/cert.crt") + slurp(certs / "storage-proxy/cert.crt"));
  EXPECT_NE(slurp(certs / "server.crt"), trust);
  EXPECT_EQ(files_in("classic").size(), 9U);
}

TEST_F(Rotate, WhatACaSignedNeedsACa) {
  ok({"ca", "init", "ca", "--cn", "First"});
  ok({"ca", "init", "other", "--cn", "Second"});
  ok({"keygen", "--cn", "a.example.com", "--ca", "ca", "--out", "k", "--service-key", "ed25519"});
  refused({"keygen", "rotate", "--out", "k"},
          "'k/cert/cert.crt' was signed by 'CN=First'; name that CA's folder with --ca");
  // By the same CA: nothing changes for clients.
  ok({"keygen", "rotate", "--out", "k", "--ca", "ca", "--days", "4000"});
  EXPECT_EQ(slurp("k/cert/server.crt"), slurp("ca/ca-cert.pem"));
  EXPECT_EQ(sql("ca/ledger.db", "SELECT command FROM runs ORDER BY rowid DESC LIMIT 1"),
            "keygen rotate");
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices WHERE state = 'placed'"), "2");
  ok({"keygen", "rotate", "--out", "k", "--switch"});
  ok({"keygen", "rotate", "--out", "k", "--finish"});
  EXPECT_EQ(slurp("k/cert/server.crt"), slurp("ca/ca-cert.pem"));
  // By another one: both, then the other.
  ok({"keygen", "rotate", "--out", "k", "--ca", "other", "--days", "4100"});
  EXPECT_EQ(slurp("k/cert/server.crt"), slurp("ca/ca-cert.pem") + slurp("other/ca-cert.pem"));
  ok({"keygen", "rotate", "--out", "k", "--switch"});
  ok({"keygen", "rotate", "--out", "k", "--finish"});
  EXPECT_EQ(slurp("k/cert/server.crt"), slurp("other/ca-cert.pem"));
}

// A tree of Mender's own keygen has no server.crt, and no names beside the common one in old times.
TEST_F(Rotate, TreesThatKeygenItselfMade) {
  fs::create_directories("own/cert");
  fs::create_directories("own/keys/deviceauth");
  fs::create_directories("own/keys/useradm");
  openssl({"req", "-x509", "-sha256", "-nodes", "-days", "1000", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:P-256", "-keyout", "own/cert/private.key", "-out",
           "own/cert/cert.crt", "-subj", "/CN=mender.example.com"});
  for (const char* const service : {"deviceauth", "useradm"}) {
    openssl({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
             std::string("own/keys/") + service + "/private.key"});
  }
  const std::string old = openssl({"x509", "-in", "own/cert/cert.crt"});
  ok({"keygen", "rotate", "--out", "own"});
  EXPECT_THAT(subject_names("own/cert/next/cert.crt"), HasSubstr("DNS:mender.example.com\n"));
  EXPECT_EQ(slurp("own/cert/server.crt"), old + slurp("own/cert/next/cert.crt"));
  ok({"keygen", "rotate", "--out", "own", "--service", "useradm"});
  EXPECT_THAT(slurp("own/keys/useradm/private.id.1.pem"),
              testing::StartsWith("-----BEGIN RSA PRIVATE KEY-----\n"));
}

TEST_F(Rotate, BadTreesAreRefused) {
  refused({"keygen", "rotate", "--out", "nowhere"},
          "'nowhere' holds no keys of a Mender server (neither 'cert/cert.crt' nor "
          "'certs/api-gateway/cert.crt' and 'certs/storage-proxy/cert.crt'); make them with "
          "'imprint keygen', or name their folder with --out");
  const std::string key = slurp(cert_ / "private.key");
  dir_.write((cert_ / "private.key").string(), slurp("keys-generated/keys/useradm/private.key"));
  refused({"keygen", "rotate"},
          "'keys-generated/cert/private.key' is not the key of 'keys-generated/cert/cert.crt'; put "
          "the right one there");
  dir_.write((cert_ / "private.key").string(), slurp(cert_ / "cert.crt"));
  refused({"keygen", "rotate"},
          "'keys-generated/cert/private.key': holds no private key, but a 'CERTIFICATE'");
  dir_.write((cert_ / "private.key").string(), key);
  ok({"keygen", "rotate"});
  fs::rename(cert_ / "next/cert.crt", cert_ / "next/mislaid");
  const CommandResult lost = imprint({"keygen", "rotate", "--switch"});
  EXPECT_EQ(lost.status, 2);
  EXPECT_THAT(lost.err, HasSubstr("'keys-generated/cert/next/cert.crt'"));
  fs::rename(cert_ / "next/mislaid", cert_ / "next/cert.crt");
  fs::create_directory(cert_ / "old");
  refused({"keygen", "rotate", "--switch"},
          "'keys-generated/cert' holds a rotation that is no step of one: 'next' in 1 and 'old' in "
          "1 of 1 folders; move what does not belong there away");
  fs::remove(cert_ / "old");
  ok({"keygen", "rotate", "--switch"});
  dir_.write((cert_ / "server.crt").string(), slurp(cert_ / "old/cert.crt"));
  refused({"keygen", "rotate", "--finish"},
          "nothing in 'keys-generated/cert/server.crt' is what the server's certificates can be "
          "verified with; put their CA there");
}

TEST_F(Rotate, ACertificateThatWasRenewedByHandIsNotTrustedYet) {
  ok({"keygen", "--cn", "mender.example.com", "--out", "hand", "--service-key", "ed25519"});
  for (const char* const name : {"cert.crt", "private.key"})
    dir_.write((cert_ / name).string(), slurp(fs::path("hand/cert") / name));
  refused({"keygen", "rotate"},
          "nothing in 'keys-generated/cert/server.crt' is what 'keys-generated/cert/cert.crt' can "
          "be verified with; put that certificate or its CA there, and bring the file to all "
          "clients");
  dir_.write((cert_ / "server.crt").string(), slurp("hand/cert/server.crt"));
  ok({"keygen", "rotate"});
  EXPECT_EQ(slurp(cert_ / "server.crt"),
            slurp("hand/cert/server.crt") + slurp(cert_ / "next/cert.crt"));
}

TEST_F(Rotate, WhatOnlyTheFirstStepHeedsIsRefusedAtTheOthers) {
  for (const char* const step : {"--switch", "--finish"}) {
    for (const auto& [option, value] :
         {std::pair("--days", "400"), std::pair("--cn", "a.example.com")}) {
      const auto before = listing(".");
      const CommandResult result = imprint({"keygen", "rotate", step, option, value});
      EXPECT_EQ(result.status, 2) << result.err;
      EXPECT_THAT(result.err, HasSubstr(std::string(option) + " excludes " + step));
      EXPECT_EQ(listing("."), before);
    }
  }
}

TEST_F(Rotate, TheNextOutlastsTheOld) {
  const CommandResult result = imprint({"keygen", "rotate", "--days", "100"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err,
              HasSubstr("imprint: error: --days: the next certificate would end on 20"));
  EXPECT_THAT(result.err, HasSubstr("; give more days\n"));
  EXPECT_EQ(files_in("keys-generated"), kSteady);
}

TEST_F(Rotate, ShortNoticeIsWarnedOf) {
  ok({"keygen", "--cn", "a.example.com", "--out", "short", "--days", "30", "--service-key",
      "ed25519"});
  EXPECT_THAT(ok({"keygen", "rotate", "--out", "short"}).err,
              testing::ContainsRegex("warning: the old certificate ends on [-0-9T:Z]*, in (29|30) "
                                     "days: clients that have not got the new 'server.crt' by "
                                     "then cannot connect any more\n"));
}

TEST_F(Rotate, AServicesKey) {
  const std::string old = slurp("keys-generated/keys/useradm/private.key");
  const auto begun = ok({"keygen", "rotate", "--service", "useradm"});
  EXPECT_THAT(begun.err, HasSubstr("imprint: keys-generated/keys/useradm/private.id.1.pem: signs "
                                   "from the restart of useradm with the new deployment files "
                                   "on\n"));
  EXPECT_THAT(begun.err,
              HasSubstr("imprint: keys-generated/keys/useradm/private.key: still verifies; drop it "
                        "with 'imprint keygen rotate --service useradm --finish' when its tokens "
                        "have expired, a week after the restart: not before 20"));
  EXPECT_EQ(slurp("keys-generated/keys/useradm/private.key"), old);
  EXPECT_EQ(mode_of("keys-generated/keys/useradm/private.id.1.pem"), 0600U);
  EXPECT_THAT(
      openssl({"pkey", "-in", "keys-generated/keys/useradm/private.id.1.pem", "-noout", "-text"}),
      HasSubstr("ED25519"));
  // A rerun makes no third key.
  const auto before = listing(".");
  EXPECT_THAT(ok({"keygen", "rotate", "--service", "useradm"}).err,
              HasSubstr("imprint: this rotation had begun before\n"));
  EXPECT_EQ(listing("."), before);

  const CommandResult early = imprint({"keygen", "rotate", "--service", "useradm", "--finish"});
  EXPECT_EQ(early.status, 2);
  EXPECT_THAT(early.err,
              testing::ContainsRegex("error: 'keys-generated/keys/useradm/private.id.1.pem' was "
                                     "made on [-0-9T:Z]*, and tokens that the key before it signed "
                                     "are valid for a week after the restart of useradm; finish on "
                                     "[-0-9T:Z]* or later, or give --force\n"));
  EXPECT_EQ(listing("."), before);
  // A week later.
  fs::last_write_time("keys-generated/keys/useradm/private.id.1.pem",
                      fs::file_time_type::clock::now() - std::chrono::hours(7 * 24 + 1));
  EXPECT_THAT(ok({"keygen", "rotate", "--service", "useradm", "--finish"}).err,
              HasSubstr("imprint: warning: personal access tokens that the old key signed are "
                        "invalid when useradm restarts: their users have to make new ones\n"));
  EXPECT_FALSE(fs::exists("keys-generated/keys/useradm/private.key"));
  EXPECT_TRUE(fs::exists("keys-generated/kubernetes-secrets.yaml")) << "the key is still numbered";
  const auto after = listing(".");
  EXPECT_THAT(ok({"keygen", "rotate", "--service", "useradm", "--finish"}).err,
              HasSubstr("private.id.1.pem: the only key of useradm, no rotation has begun\n"));
  EXPECT_EQ(listing("."), after);

  // Of another kind, and numbered on.
  ok({"keygen", "rotate", "--service", "useradm", "--service-key", "rsa:2048"});
  EXPECT_THAT(slurp("keys-generated/keys/useradm/private.id.2.pem"),
              testing::StartsWith("-----BEGIN RSA PRIVATE KEY-----\n"));
  ok({"keygen", "rotate", "--service", "useradm", "--finish", "--force"});
  EXPECT_EQ(files_in("keys-generated/keys/useradm"), (Names{"private.id.2.pem"}));
}

TEST_F(Rotate, BadServiceKeysAreRefused) {
  refused({"keygen", "rotate", "--service", "tenantadm"},
          "--service: 'tenantadm' is no service that signs tokens; known are 'deviceauth', which "
          "signs those of devices, and 'useradm', which signs those of users");
  refused({"keygen", "rotate", "--service", "useradm", "--service-key", "ec:P-256"},
          "--service-key: 'ec:P-256' is no key that Mender's services sign with; known are "
          "rsa:2048, rsa:3072, rsa:4096, and for servers from 4.0 on ed25519");
  dir_.write("keys-generated/keys/useradm/private.key", slurp(cert_ / "private.key"));
  refused({"keygen", "rotate", "--service", "useradm"},
          "'keys-generated/keys/useradm/private.key': 'ec:P-256' is no key that Mender's services "
          "sign with; known are rsa:2048, rsa:3072, rsa:4096, and for servers from 4.0 on ed25519");
  dir_.write("keys-generated/keys/useradm/private.key", "nothing\n");
  const CommandResult result = imprint({"keygen", "rotate", "--service", "useradm"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("'keys-generated/keys/useradm/private.key': "));
}

// Whichever call fails, a step is done or not, and a rerun goes on; the texts follow.
TEST_F(Rotate, AFailingCallLeavesAWholeStep) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> steps = {
      {{}, "begun"},
      {{"--switch"}, "switched"},
      {{"--finish"}, "steady"},
      {{"--service", "deviceauth"}, "begun"},
      {{"--service", "deviceauth", "--finish", "--force"}, "steady"}};
  for (const auto& [step, wanted] : steps) {
    std::vector<std::string> command = {"keygen", "rotate", "--json"};
    command.insert(command.end(), step.begin(), step.end());
    const fs::path copy = "copy";
    int failures = 0;
    for (int n = 1;; ++n) {
      fs::copy("keys-generated", copy, fs::copy_options::recursive);
      const auto fired = [&] {
        const imprint::test::FailNth fault(n, ENOSPC);
        const CommandResult result = imprint(command);
        if (fault.fired()) {
          EXPECT_EQ(result.status, 4) << "call " << n << ": " << result.err;
        }
        return fault.fired();
      }();
      EXPECT_EQ(state(ok(command).out), wanted) << "after failing call " << n;
      for (const auto& [text, name] : {std::pair("compose", "docker-compose.override.yml"),
                                       std::pair("helm", "helm-values.yaml")}) {
        EXPECT_EQ(ok({"keygen", "--print", text}).out, slurp(fs::path("keys-generated") / name))
            << "after failing call " << n;
      }
      if (!fired) break;
      ++failures;
      fs::remove_all("keys-generated");
      fs::rename(copy, "keys-generated");
    }
    EXPECT_GE(failures, 8) << testing::PrintToString(step);
    fs::remove_all(copy);
  }
}

TEST_F(Rotate, WhatKilledRunsLeftIsRemoved) {
  const std::vector<std::vector<std::string>> commands = {
      {"keygen", "rotate"},
      {"keygen", "rotate", "--service", "deviceauth"},
      {"keygen", "--force", "--cn", "mender.example.com", "--service-key", "ed25519"}};
  for (const auto& command : commands) {
    for (const char* const name : {"helm-values.yaml", "kubernetes-secrets.yaml"})
      dir_.write(std::string("keys-generated/.") + name + ".0123456789abcdef.tmp", "half a key");
    fs::create_directory("keys-generated/keys/.useradm.new");
    fs::create_directory("keys-generated/.cert.new");
    dir_.write("keys-generated/.cert.new/private.key", "half a key");
    // Whoever made these, it was not this program.
    const Names others = {".helm-values.yaml.mine.tmp", ".other.yaml.0123456789abcdef.tmp"};
    for (const std::string& name : others)
      dir_.write("keys-generated/" + name, "");
    ok(command);
    Names hidden;
    for (const auto& entry : fs::recursive_directory_iterator("keys-generated")) {
      const std::string name = entry.path().filename().string();
      if (name.front() == '.') hidden.insert(name);
    }
    EXPECT_EQ(hidden, others) << testing::PrintToString(command);
  }
}

// While it makes a key, which takes a while: nothing has changed, and nothing is left.
TEST_F(Rotate, AnInterruptionLeavesNothing) {
  const std::vector<std::pair<std::vector<std::string>, fs::path>> commands = {
      {{"keygen", "--out", "new", "--cn", "a.example.com", "--service-key", "rsa:3072"},
       ".new.new"},
      {{"keygen", "rotate", "--service", "useradm", "--service-key", "rsa:3072"},
       "keys-generated/keys/.useradm.new"}};
  const TempDir elsewhere;
  const fs::path log = elsewhere / "log";
  const auto names = [] {
    Names found;
    for (const auto& entry : fs::recursive_directory_iterator("."))
      found.insert(entry.path().string());
    return found;
  };
  for (const int signal : {SIGINT, SIGTERM}) {
    for (const auto& [arguments, work] : commands) {
      const Names before = names();
      std::vector<std::string> command = arguments;
      command.insert(command.begin(), binary());
      imprint::test::Process run(command, log);
      while (run.running() && !fs::exists(work))
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      run.signal(signal);
      EXPECT_EQ(run.wait(), 130);
      EXPECT_THAT(slurp(log), testing::EndsWith("imprint: error: interrupted\n"));
      EXPECT_EQ(names(), before);
    }
  }
}

// SIGKILL at any time: the folder is as before or after each step, a pair belongs together, and a
// rerun goes on.
TEST_F(Rotate, AKillLeavesAWholeStep) {
  const std::vector<std::vector<std::string>> steps = {{}, {"--switch"}, {"--finish"}};
  const std::vector<std::string> states = {"begun", "switched", "steady"};
  int killed = 0;
  for (int round = 0; round < 30; ++round) {
    const auto step = static_cast<std::size_t>(round % 3);
    std::vector<std::string> command = {binary(), "keygen", "rotate", "--json"};
    command.insert(command.end(), steps[step].begin(), steps[step].end());
    imprint::test::Process run(command, "log");
    std::this_thread::sleep_for(std::chrono::microseconds(500 * (round / 3) + 3000));
    run.signal(SIGKILL);
    if (run.wait() != 0) ++killed;
    EXPECT_EQ(openssl({"x509", "-in", (cert_ / "cert.crt").string(), "-noout", "-pubkey"}),
              openssl({"pkey", "-in", (cert_ / "private.key").string(), "-pubout"}));
    const CommandResult result = imprint({command.begin() + 1, command.end()});
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(state(result.out), states[step]);
    EXPECT_FALSE(fs::exists("keys-generated/.cert.new"));
  }
  EXPECT_GE(killed, 3);
  EXPECT_EQ(files_in("keys-generated"), kSteady);
}

}  // namespace
}  // namespace imprint::cli::test
