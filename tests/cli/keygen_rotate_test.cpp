// `imprint keygen rotate`: the steps of a rotation, what is refused at each, reruns, and kills in
// between.

#include <csignal>
#include <thread>

#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/base/owner.hpp"
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
          "nothing in 'keys-generated/cert/server.crt' is what 'keys-generated/cert/cert.crt' can "
          "be verified with; put that certificate or its CA there, and bring the file to all "
          "clients");
}

// What goes to all clients is looked at again before it is said to be right, and before the switch.
TEST_F(Rotate, TheTrustForBothIsCheckedAgain) {
  ok({"keygen", "--cn", "b.example.com", "--out", "other", "--service-key", "ed25519"});
  ok({"keygen", "rotate"});
  const fs::path trust = cert_ / "server.crt";
  const std::string old = slurp(cert_ / "cert.crt");
  const std::string next = slurp(cert_ / "next/cert.crt");
  const std::string other = slurp("other/cert/server.crt");
  const std::string serial = openssl({"x509", "-in", "other/cert/cert.crt", "-noout", "-serial"});
  const auto without = [](const std::string& certificate) {
    return "nothing in 'keys-generated/cert/server.crt' is what '" + certificate +
           "' can be verified with; put that certificate or its CA there, and bring the file to "
           "all clients";
  };
  constexpr std::size_t kHeading = std::string_view("serial=").size();
  std::string lower = serial.substr(kHeading, serial.find('\n') - kHeading);
  for (char& c : lower)
    c = static_cast<char>(std::tolower(c));
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {old, without("keys-generated/cert/next/cert.crt")},
      {next, without("keys-generated/cert/cert.crt")},
      {next + old,
       "'keys-generated/cert/server.crt' holds trust for the next certificate before that for the "
       "one in use, 'CN=mender.example.com'; put the latter first"},
      {old + other + next,
       "certificate 2 of 'keys-generated/cert/server.crt', 'CN=b.example.com' with the serial "
       "number " +
           lower +
           ", is not what the server's certificates are verified with, and the rotation would drop "
           "it: take it out (clients that need it for another server can have it among their "
           "system's certificates)"}};
  for (const char* const step : {"", "--switch"}) {
    std::vector<std::string> command = {"keygen", "rotate"};
    if (*step != '\0') command.emplace_back(step);
    for (const auto& [content, message] : wrong) {
      dir_.write(trust.string(), content);
      refused(command, message);
    }
    dir_.write(trust.string(), old + "-----BEGIN CERTIFICATE-----\nnothing\n");
    const CommandResult garbage = imprint(command);
    EXPECT_EQ(garbage.status, 2);
    EXPECT_THAT(garbage.err, HasSubstr("imprint: error: 'keys-generated/cert/server.crt': "));
    fs::remove(trust);
    refused(command,
            "'keys-generated/cert/server.crt' is missing; put there what "
            "'keys-generated/cert/cert.crt' is verified with, and after it what "
            "'keys-generated/cert/next/cert.crt' is");
    dir_.write(trust.string(), old + next);
    ok(command);
  }
}

TEST_F(Rotate, StrangersInTheTrustAreRefusedFromTheStart) {
  ok({"ca", "init", "ca", "--cn", "Next CA"});
  const fs::path trust = cert_ / "server.crt";
  dir_.write(trust.string(), slurp("ca/ca-cert.pem") + slurp(cert_ / "cert.crt"));
  const CommandResult stranger = imprint({"keygen", "rotate"});
  EXPECT_EQ(stranger.status, 2);
  EXPECT_THAT(stranger.err, HasSubstr("certificate 1 of 'keys-generated/cert/server.crt', "
                                      "'CN=Next CA' with the serial number "));
  EXPECT_FALSE(fs::exists(cert_ / "next"));
  // The CA that is to sign the next one is no stranger; the old is first in any case.
  ok({"keygen", "rotate", "--ca", "ca", "--days", "3651"});
  EXPECT_EQ(slurp(trust), slurp(cert_ / "cert.crt") + slurp("ca/ca-cert.pem"));
  ok({"keygen", "rotate"});
}

// A root that its owner has put beside the CA below it stays, in every step.
TEST_F(Rotate, WhatIsAboveTheTrustIsNoStranger) {
  ok({"ca", "init", "root", "--cn", "Root"});
  ok({"ca", "init", "ca", "--cn", "Issuing", "--parent", "root"});
  ok({"keygen", "--cn", "a.example.com", "--ca", "ca", "--out", "k", "--days", "400",
      "--service-key", "ed25519"});
  const std::string root = slurp("root/ca-cert.pem");
  const std::string issuing = slurp("ca/ca-cert.pem").substr(0, slurp("ca/ca-cert.pem").find(root));
  dir_.write("k/cert/server.crt", root + issuing);
  for (const std::vector<std::string>& step : std::vector<std::vector<std::string>>{
           {"--ca", "ca", "--days", "500"}, {}, {"--switch"}, {"--finish"}}) {
    std::vector<std::string> command = {"keygen", "rotate", "--out", "k"};
    command.insert(command.end(), step.begin(), step.end());
    ok(command);
    EXPECT_EQ(slurp("k/cert/server.crt"), root + issuing);
  }
}

TEST_F(Rotate, ABegunRotationTakesNoOtherSettings) {
  ok({"ca", "init", "ca", "--cn", "First"});
  const std::vector<std::string> begin = {"keygen", "rotate", "--days", "4000"};
  ok(begin);
  const std::string next = "'keys-generated/cert/next/cert.crt' is there already, ";
  const std::string advice =
      "; leave that option out; or, for another one, remove it with its folder 'next', and its "
      "trust from 'server.crt'";
  refused({"keygen", "rotate", "--days", "400"}, next + "for 4000 days, not 400" + advice);
  refused({"keygen", "rotate", "--cn", "a.example.com"},
          next + "for 'mender.example.com', not 'a.example.com'" + advice);
  refused({"keygen", "rotate", "--ca", "ca"}, next + "and 'CN=First' did not sign it" + advice);
  EXPECT_THAT(ok(begin).err, HasSubstr("imprint: this rotation had begun before\n"));
  // As the advice has it.
  fs::remove_all(cert_ / "next");
  dir_.write((cert_ / "server.crt").string(), slurp(cert_ / "cert.crt"));
  ok({"keygen", "rotate", "--days", "4001"});

  ok({"keygen", "rotate", "--service", "useradm"});
  refused({"keygen", "rotate", "--service", "useradm", "--service-key", "rsa:2048"},
          "--service-key rsa:2048: the next key, 'keys-generated/keys/useradm/private.id.1.pem', "
          "is there already, and is of the kind ed25519; leave the option out, or remove that key "
          "to make another one");
  ok({"keygen", "rotate", "--service", "useradm", "--service-key", "ed25519"});
}

TEST_F(Rotate, NewFilesBelongToTheOwnersOfTheOld) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give files away";
  const fs::path keys = "keys-generated/keys/useradm";
  const Owner service{65534, 65533};
  const Owner admin{65532, 65531};
  for (const fs::path& file : {keys / "private.key", cert_ / "private.key"})
    ASSERT_EQ(::chown(file.c_str(), service.user, service.group), 0);
  for (const fs::path& file : {cert_, cert_ / "cert.crt", cert_ / "server.crt", keys,
                               fs::path("keys-generated/helm-values.yaml")}) {
    ASSERT_EQ(::chown(file.c_str(), admin.user, admin.group), 0);
  }
  EXPECT_THAT(ok({"keygen", "rotate", "--service", "useradm"}).err, Not(HasSubstr("chown")));
  EXPECT_EQ(owner_of(keys), admin);
  EXPECT_EQ(owner_of(keys / "private.key"), service);
  EXPECT_EQ(owner_of(keys / "private.id.1.pem"), service);
  EXPECT_EQ(owner_of("keys-generated/helm-values.yaml"), admin);
  EXPECT_EQ(owner_of("keys-generated/kubernetes-secrets.yaml"), admin);
  for (const std::string step : {"--json", "--switch", "--finish"}) {
    EXPECT_THAT(ok({"keygen", "rotate", step}).err, Not(HasSubstr("chown")));
    for (const fs::path& file : {cert_, cert_ / "cert.crt", cert_ / "server.crt"})
      EXPECT_EQ(owner_of(file), admin) << file << step;
    EXPECT_EQ(owner_of(cert_ / "private.key"), service) << step;
    if (step != "--json") continue;
    EXPECT_EQ(owner_of(cert_ / "next"), admin);
    EXPECT_EQ(owner_of(cert_ / "next/cert.crt"), admin);
    EXPECT_EQ(owner_of(cert_ / "next/private.key"), service);
  }
}

TEST_F(Rotate, WhatCouldNotBeGivenAwayIsSaid) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for files of others that can be read";
  const fs::path keys = "keys-generated/keys/useradm";
  for (const fs::path& file : {keys / "private.key", cert_ / "private.key"})
    ASSERT_EQ(::chown(file.c_str(), 65534, 65533), 0);
  const auto note = [](const std::string& file) {
    return HasSubstr(
        "imprint: what was made could not be given to the owner of what it follows: "
        "'chown 65534:65533 keys-generated/" +
        file + "' as root\n");
  };
  const imprint::test::ScopedFaultHook no_privilege(
      [](std::string_view operation) { return operation == "fchown" ? EPERM : 0; });
  EXPECT_THAT(ok({"keygen", "rotate", "--service", "useradm"}).err,
              note("keys/useradm/private.id.1.pem"));
  EXPECT_THAT(ok({"keygen", "rotate"}).err, note("cert/next/private.key"));
  EXPECT_THAT(ok({"keygen", "rotate"}).err, note("cert/next/private.key")) << "as long as it is so";
  EXPECT_THAT(ok({"keygen", "rotate", "--switch"}).err, note("cert/private.key"));
  ASSERT_EQ(::chown((cert_ / "private.key").c_str(), 65534, 65533), 0);
  EXPECT_THAT(ok({"keygen", "rotate", "--switch"}).err, Not(HasSubstr("chown")));
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
