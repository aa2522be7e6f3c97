// `preauthorize`: the program against a Mender server over TLS, by the judgement of that server,
// sqlite3 and strace.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "devauth/mender_server.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::body_line;
using imprint::test::MenderServer;
using imprint::test::Process;
using imprint::test::TempDir;
using imprint::test::wait_until;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;  // LeakSanitizer has to attach to its own process
#else
constexpr bool kSanitized = false;
#endif

/// A ledger of some devices and a token, in the working directory.
class Preauthorize : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_MENDER_SERVER();
    IMPRINT_NEED_COMMAND("sqlite3");
    fs::current_path(dir_.path());
    dir_.write("token", std::string(MenderServer::kToken) + "\n");
    fs::permissions("token", fs::perms::owner_read | fs::perms::owner_write);
  }

  ~Preauthorize() override { fs::current_path(before_); }

  /// `unit-0` ...; their identities are not recorded.
  static void make_ledger(int devices) {
    ok({"ca", "init", "ca", "--cn", "Test CA"});
    for (int i = 0; i < devices; ++i) {
      ok({"ca", "issue-device", "ca", "--id", fmt::format("unit-{}", i), "--output", "out",
          "--ledger", "ledger.db"});
    }
  }

  static void ok(const std::vector<std::string>& arguments) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
  }

  static std::vector<std::string> command(const MenderServer& server,
                                          const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"preauthorize",       "--server",  server.url(),
                                          "--token-file",       "token",     "--ca-file",
                                          server.certificate(), "--retries", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  static std::vector<std::string> ledger_command(const MenderServer& server,
                                                 const std::vector<std::string>& more = {}) {
    auto arguments = command(server, {"ledger.db", "--identity-data", "mac={id}"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  static CommandResult run(const std::vector<std::string>& arguments) {
    CommandResult result = imprint(arguments);
    EXPECT_THAT(result.out + result.err, Not(HasSubstr(MenderServer::kToken)));
    return result;
  }

  static void refused(std::vector<std::string> arguments, const std::string& message) {
    arguments.insert(arguments.begin(), "preauthorize");
    const auto before = listing(".");
    const CommandResult result = run(arguments);
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err, "imprint: error: " + message + "\n");
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(listing("."), before);
  }

  static std::string recorded(const std::string& what, const std::string& more = {}) {
    return sql("ledger.db", "SELECT " + what + " FROM preauthorizations " + more);
  }

  TempDir dir_;
  fs::path before_ = fs::current_path();
};

TEST_F(Preauthorize, SendsALedgersDevicesOnceAndKeepsTheirIds) {
  make_ledger(3);
  const MenderServer server;
  const CommandResult first = run(ledger_command(server));
  EXPECT_EQ(first.status, 0);
  EXPECT_THAT(first.err, StartsWith("imprint: 3 devices: 3 accepted, 0 known in "));
  EXPECT_EQ(first.out, "");
  EXPECT_EQ(recorded("count(*), count(DISTINCT device_id), min(state), min(server)"),
            "3|3|accepted|" + server.url());
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  std::set<std::string> macs;
  for (const auto& request : requests)
    macs.insert(Json::parse(request.body).at("identity_data").at("mac").get<std::string>());
  EXPECT_EQ(macs, std::set<std::string>({"unit-0", "unit-1", "unit-2"}));

  const CommandResult second = run(ledger_command(server));
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(second.err,
            "imprint: nothing to send: 'ledger.db' has no more devices for " + server.url() + "\n");
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST_F(Preauthorize, SendsTheKeyOfTheCertificate) {
  make_ledger(1);
  const MenderServer server;
  ASSERT_EQ(run(ledger_command(server)).status, 0);
  const std::string key =
      imprint::test::openssl({"x509", "-in", "out/unit-0.crt", "-noout", "-pubkey"});
  EXPECT_EQ(Json::parse(server.requests().at(0).body).at("pubkey").get<std::string>(), key);
}

TEST_F(Preauthorize, AnotherServerIsToldToo) {
  make_ledger(2);
  const MenderServer staging;
  const MenderServer production;
  ASSERT_EQ(run(ledger_command(staging)).status, 0);
  ASSERT_EQ(run(ledger_command(production)).status, 0);
  EXPECT_EQ(production.requests().size(), 2U);
  EXPECT_EQ(recorded("count(DISTINCT server)"), "2");
}

TEST_F(Preauthorize, RevokedDevicesAreNotSent) {
  make_ledger(2);
  ok({"ca", "revoke", "ca", "--ledger", "ledger.db", "--id", "unit-0"});
  const MenderServer server;
  EXPECT_EQ(run(ledger_command(server)).status, 0);
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_THAT(server.requests().at(0).body, HasSubstr("unit-1"));
}

TEST_F(Preauthorize, SaysWhatBecameOfEachDevice) {
  make_ledger(3);
  dir_.write("known", body_line("unit-1", 1));
  const MenderServer server({"--known", "known", "--fault", "400", "--only", "unit-2"});
  const CommandResult result = run(ledger_command(server, {"--json", "--jobs", "1"}));
  EXPECT_EQ(result.status, 3);
  EXPECT_THAT(result.err,
              HasSubstr("imprint: 'unit-1': conflict: the server knows it as device '"));
  EXPECT_THAT(result.err,
              HasSubstr("imprint: 'unit-2': failed: the server answers 400: so it is\n"));
  EXPECT_THAT(result.err,
              HasSubstr("imprint: 3 devices: 1 accepted, 0 known, 1 in conflict, 1 failed in "));
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report.at("version"), 1);
  EXPECT_EQ(report.at("server"), server.url());
  EXPECT_EQ(report.at("accepted"), 1);
  EXPECT_EQ(report.at("conflicts"), 1);
  EXPECT_EQ(report.at("failed"), 1);
  EXPECT_EQ(report.at("not_sent"), 0);
  EXPECT_EQ(report.at("interrupted"), false);
  EXPECT_EQ(report.at("stopped"), nullptr);
  EXPECT_EQ(report.at("devices").at(0).at("outcome"), "accepted");
  EXPECT_EQ(report.at("devices").at(0).at("device_id"),
            recorded("device_id", "WHERE state = 'accepted'"));
  EXPECT_EQ(report.at("devices").at(2).at("device"), "unit-2");
  EXPECT_EQ(report.at("devices").at(2).at("device_id"), nullptr);
  EXPECT_EQ(recorded("group_concat(state)"), "accepted,conflict,rejected");

  const CommandResult forced = run(ledger_command(server, {"--force"}));
  EXPECT_EQ(forced.status, 3) << "the third is refused again";
  EXPECT_EQ(recorded("state", "WHERE certificate = 2 ORDER BY number DESC LIMIT 1"), "accepted");
}

TEST_F(Preauthorize, DryRunSaysHowManyAndSendsNone) {
  make_ledger(2);
  const MenderServer server;
  const auto before = listing(".");
  const CommandResult text = run(ledger_command(server, {"--dry-run"}));
  EXPECT_EQ(text.status, 0);
  EXPECT_EQ(text.out, fmt::format("2 devices would be sent to {}\n", server.url()));
  const CommandResult json = run(ledger_command(server, {"--dry-run", "--json"}));
  EXPECT_EQ(Json::parse(json.out).at("to_send"), 2);
  EXPECT_EQ(listing("."), before);
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(Preauthorize, SendsBodiesOfAFileOrOfStandardInput) {
  const MenderServer server;
  dir_.write("bodies", body_line("a", 1) + body_line("b", 2));
  EXPECT_EQ(run(command(server, {"--bodies", "bodies"})).status, 0);
  EXPECT_EQ(server.count("POST"), 2U);
  std::vector<std::string> arguments = command(server, {"--bodies", "-"});
  arguments.insert(arguments.begin(), binary());
  const CommandResult piped = run_command(arguments, body_line("b", 2) + body_line("c", 1));
  EXPECT_EQ(piped.status, 0);
  EXPECT_THAT(piped.err, HasSubstr("imprint: 2 devices: 1 accepted, 1 known in "));
  EXPECT_FALSE(fs::exists("ledger.db"));
}

TEST_F(Preauthorize, NoBodiesAreNothingToSend) {
  const MenderServer server;
  dir_.write("bodies", "\n\r\n");
  const CommandResult text = run(command(server, {"--bodies", "bodies"}));
  EXPECT_EQ(text.status, 0);
  EXPECT_EQ(text.err, "imprint: nothing to send: there is no body in --bodies 'bodies'\n");
  EXPECT_EQ(text.out, "");
  dir_.write("bodies", "");
  const CommandResult json = run(command(server, {"--bodies", "bodies", "--json"}));
  EXPECT_EQ(json.status, 0);
  EXPECT_EQ(Json::parse(json.out).at("accepted"), 0);
  EXPECT_EQ(Json::parse(json.out).at("devices"), Json::array());
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(Preauthorize, ExitStatusSaysWhoseFaultItIs) {
  make_ledger(2);
  const auto ends = [](const std::string& fault, int status, const std::string& message) {
    const MenderServer server({"--fault", fault});
    const CommandResult result = run(ledger_command(server));
    EXPECT_EQ(result.status, status) << fault;
    EXPECT_THAT(result.err, HasSubstr("imprint: 2 devices: 0 accepted, 0 known, 2 not sent in "));
    EXPECT_THAT(result.err,
                HasSubstr(fmt::format("imprint: error: '{}': {}", server.url(), message)));
  };
  ends("401", 2, "the server does not accept the token (401)");
  ends("403", 2, "the token does not allow it (403)");
  ends("500", 4, "the server answers 500: so it is (2 tries); run the same command again to go on");
  ends("429:86400", 4, "the server answers 429: too many requests and asks us to wait");
  EXPECT_EQ(recorded("count(*)"), "0");
  const CommandResult nobody =
      run({"preauthorize", "--server", "http://127.0.0.1:1", "--token-file", "token", "--retries",
           "0", "--identity-data", "mac={id}"});
  EXPECT_EQ(nobody.status, 4);
  EXPECT_THAT(nobody.err, HasSubstr("error: 'http://127.0.0.1:1': Failed to connect to"));
  EXPECT_THAT(nobody.err, HasSubstr("(1 tries); run the same command again to go on"));
}

TEST_F(Preauthorize, BadInputIsRefusedBeforeAnythingIsSent) {
  make_ledger(1);
  const std::string server = "https://127.0.0.1:1";
  refused({"--server", "http://mender.example.com", "--token-file", "token"},
          "--server: 'http://mender.example.com' would send the token unencrypted, for anybody on "
          "the way to read; give https://mender.example.com");
  refused(
      {"--server", "https://mender.example.com:", "--token-file", "token"},
      "--server: 'https://mender.example.com:' has a ':' and no port (1 to 65535); give one, or "
      "leave the ':' out");
  refused({"--server", server, "--token-file", "none"},
          "--token-file: opening 'none': No such file or directory");
  dir_.write("empty", "");
  refused({"--server", server, "--token-file", "empty"},
          "--token-file: 'empty' holds no token; put one into it");
  refused({"--server", server, "--token-file", "token", "--ca-file", "none"},
          "--ca-file: opening 'none': No such file or directory");
  refused({"--server", server, "--token-file", "token", "none.db"}, "there is no ledger 'none.db'");
  refused({"--server", server, "--token-file", "token", "--bodies", "none"},
          "--bodies: opening 'none': No such file or directory");
  dir_.write("bodies", "{}\n");
  refused({"--server", server, "--token-file", "token", "--bodies", "bodies"},
          "--bodies 'bodies': line 1: 'identity_data' is missing");
  refused({"--server", server, "--token-file", "token"},
          "device 'unit-0': the ledger does not know what it will report as its identity, as its "
          "manifest had no 'identity_data': give --identity-data NAME=TEMPLATE, such as 'sn={id}', "
          "or leave such devices out with --skip-incomplete");
  refused({"--server", server, "--token-file", "token", "--identity-data", "mac"},
          "--identity-data 'mac': write NAME=TEMPLATE, such as 'sn={id}'");
  refused(
      {"--server", server, "--token-file", "token", "--identity-data", "mac={mac}"},
      "--identity-data 'mac={mac}': there is no variable 'mac'; the ledger knows id, serial_hex, "
      "certificate_sha256, public_key_sha256");
  EXPECT_EQ(sql("ledger.db", "UPDATE certificates SET public_key = NULL"), "");
  refused({"--server", server, "--token-file", "token", "--identity-data", "mac={id}"},
          "device 'unit-0': its public key is not in the ledger, as it was issued by an older "
          "imprint: give it a new identity, or leave such devices out with --skip-incomplete");
  const CommandResult both =
      run({"preauthorize", "ledger.db", "--bodies", "x", "--server", server, "--token-file", "t"});
  EXPECT_EQ(both.status, 2);
}

TEST_F(Preauthorize, ACaFileHasToHoldCertificates) {
  make_ledger(1);
  dir_.write("ca-file", "no certificate");
  const CommandResult result =
      run({"preauthorize", "--server", "https://127.0.0.1:1", "--token-file", "token", "--ca-file",
           "ca-file", "--identity-data", "mac={id}"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, StartsWith("imprint: error: --ca-file 'ca-file': "));
}

TEST_F(Preauthorize, LeavesOutWhatTheLedgerDoesNotKnow) {
  make_ledger(3);
  EXPECT_EQ(sql("ledger.db", "UPDATE certificates SET public_key = NULL WHERE id = 2"), "");
  const MenderServer server;
  const CommandResult result = run(ledger_command(server, {"--skip-incomplete"}));
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.err, StartsWith("imprint: warning: 1 devices are left out: the ledger knows "
                                     "too little of them\nimprint: 2 devices: 2 accepted"));
  EXPECT_THAT(run(command(server, {"--skip-incomplete"})).err,
              StartsWith("imprint: warning: 1 devices are left out"));
}

TEST_F(Preauthorize, TemplatesAreFilledFromTheLedger) {
  make_ledger(1);
  const MenderServer server;
  ASSERT_EQ(run(command(server, {"--identity-data", "sn=A{{{id}}}", "--identity-data",
                                 "cert={serial_hex}"}))
                .status,
            0);
  EXPECT_EQ(Json::parse(server.requests().at(0).body).at("identity_data").dump(),
            fmt::format(R"({{"cert":"{}","sn":"A{{unit-0}}"}})",
                        sql("ledger.db",
                            "SELECT lower(hex(serial)) FROM certificates "
                            "WHERE device_id = 'unit-0'")));
}

TEST_F(Preauthorize, WarnsOfATokenThatOthersCanRead) {
  make_ledger(1);
  fs::permissions("token", fs::perms(0644));
  const MenderServer server;
  EXPECT_THAT(run(ledger_command(server)).err,
              StartsWith("imprint: warning: others can read 'token'; chmod 600 it\n"));
}

/// Of a ledger with so many devices that there is a middle.
class PreauthorizeStopped : public Preauthorize {
 protected:
  /// Rows are copied: making 60 certificates one by one would take longer than the test.
  static void grow_ledger(int devices) {
    make_ledger(1);
    EXPECT_EQ(
        sql("ledger.db",
            fmt::format(
                "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
                "INSERT INTO certificates (run, device_id, subject, serial, certificate_sha256, "
                "public_key_sha256, not_before, not_after, key_kind, issued_at, public_key) "
                "SELECT run, 'more-' || i, subject, randomblob(16), randomblob(32), "
                "public_key_sha256, not_before, not_after, key_kind, issued_at, public_key FROM "
                "certificates, n "
                "WHERE device_id = 'unit-0';"
                "INSERT INTO outcomes (certificate, number, state, at) "
                "SELECT id, 1, 'placed', 0 FROM certificates WHERE device_id LIKE 'more-%'",
                devices - 1)),
        "");
  }

  static std::vector<std::string> process(const MenderServer& server) {
    auto arguments = ledger_command(server);
    arguments.insert(arguments.begin(), binary());
    return arguments;
  }
};

TEST_F(PreauthorizeStopped, AKilledRunGoesOn) {
  grow_ledger(60);
  const MenderServer server({"--delay", "0.05"});
  Process killed(process(server), "log");
  ASSERT_TRUE(wait_until([&] { return server.requests().size() > 20 || !killed.running(); }));
  killed.signal(SIGKILL);
  ASSERT_EQ(killed.wait(), 128 + SIGKILL) << slurp("log");
  EXPECT_LT(server.requests().size(), 60U);
  const CommandResult rest = run(ledger_command(server));
  EXPECT_EQ(rest.status, 0) << rest.err;
  EXPECT_EQ(recorded("count(DISTINCT certificate), count(DISTINCT device_id)"), "60|60");
  EXPECT_EQ(recorded("count(*)", "WHERE state NOT IN ('accepted', 'known')"), "0");
  EXPECT_THAT(run(ledger_command(server)).err, StartsWith("imprint: nothing to send: "));
}

TEST_F(PreauthorizeStopped, AnInterruptedRunHasRecordedWhatWasAnswered) {
  grow_ledger(60);
  const MenderServer server({"--delay", "0.05"});
  Process stopped(process(server), "log");
  ASSERT_TRUE(wait_until([&] { return server.requests().size() > 20 || !stopped.running(); }));
  stopped.signal(SIGINT);
  ASSERT_EQ(stopped.wait(), 130) << slurp("log");
  EXPECT_THAT(slurp("log"),
              HasSubstr("imprint: interrupted: run the same command again to go on\n"));
  EXPECT_EQ(recorded("count(*)"), std::to_string(server.requests().size()));
  EXPECT_LT(server.requests().size(), 60U);
  EXPECT_EQ(run(ledger_command(server)).status, 0);
  EXPECT_EQ(server.requests().size(), 60U) << "none is sent twice";
}

TEST_F(PreauthorizeStopped, ATerminalShowsHowFarItIs) {
  IMPRINT_NEED_COMMAND("script");
  grow_ledger(30);
  const MenderServer server({"--delay", "0.1"});
  std::string line = "TERM=xterm";
  for (const std::string& argument : process(server))
    line += " '" + argument + "'";
  const CommandResult shown = run_command({"script", "-qec", line, "/dev/null"});
  EXPECT_EQ(shown.status, 0);
  EXPECT_THAT(shown.out, HasSubstr("\r\033[K0/30 devices, "));
  EXPECT_THAT(shown.out, HasSubstr("/s, "));
  EXPECT_THAT(shown.out, HasSubstr("\r\033[Kimprint: 30 devices: 30 accepted, 0 known in "));
}

TEST_F(PreauthorizeStopped, ALedgerThatCannotBeWrittenEndsTheRun) {
  grow_ledger(2);
  EXPECT_EQ(
      sql("ledger.db",
          "CREATE TRIGGER full BEFORE INSERT ON preauthorizations BEGIN SELECT RAISE(ABORT, 'no'); "
          "END"),
      "");
  const MenderServer server;
  const CommandResult result = run(ledger_command(server));
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(
      result.err,
      StartsWith("imprint: error: recording answers of a server in the ledger 'ledger.db': no"));
}

TEST_F(PreauthorizeStopped, TheTokenIsReadFromItsFileAndSeenNowhereElse) {
  IMPRINT_NEED_COMMAND("strace");
  if (kSanitized) GTEST_SKIP() << "LeakSanitizer does not work under strace";
  if (::geteuid() != 0) GTEST_SKIP() << "only root can look into a process that protects itself";
  grow_ledger(3);
  const MenderServer server;
  std::vector<std::string> traced = {"strace", "-f", "-s", "65536", "-o", "trace"};
  const auto run_it = process(server);
  traced.insert(traced.end(), run_it.begin(), run_it.end());
  const CommandResult result = run_command(traced);
  if (!fs::exists("trace") || fs::file_size("trace") == 0) GTEST_SKIP() << "strace may not trace";
  EXPECT_EQ(result.status, 0) << result.err;
  std::ifstream trace("trace");
  std::vector<std::string> with_token;
  bool no_core = false;
  for (std::string line; std::getline(trace, line);) {
    if (line.find(MenderServer::kToken) != std::string::npos) with_token.push_back(line);
    no_core = no_core || line.find("PR_SET_DUMPABLE, SUID_DUMP_DISABLE") != std::string::npos;
  }
  ASSERT_EQ(with_token.size(), 1U);
  EXPECT_THAT(with_token.front(), HasSubstr("pread64("));
  EXPECT_TRUE(no_core) << "a core file would hold it";
  for (const auto& entry : fs::recursive_directory_iterator(".")) {
    if (!entry.is_regular_file() || entry.path() == "./token" || entry.path() == "./trace")
      continue;
    EXPECT_THAT(slurp(entry.path()), Not(HasSubstr(MenderServer::kToken))) << entry.path();
  }
}

TEST_F(Preauthorize, ABatchsDevicesAreSentWithTheIdentityOfTheManifest) {
  IMPRINT_NEED_IMAGES();
  BatchFolder folder(Variant::empty_b, 50);
  folder.manifest["identity_data"] = {{"sn", "{serial}"}, {"name", "{id}"}};
  folder.manifest["output"]["format"] = "overlay";
  folder.manifest["output"].erase("bmap");
  folder.manifest["output"].erase("name");
  folder.save();
  folder.write("token", MenderServer::kToken);
  ok({"batch", "manifest.json", "--quiet"});
  const MenderServer server;
  const CommandResult result = run(command(server, {"out/ledger.db"}));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("imprint: 50 devices: 50 accepted, 0 known in "));
  const auto requests = server.requests();
  std::set<std::string> bodies;
  std::set<std::string> expected;
  for (const auto& request : requests) {
    const Json body = Json::parse(request.body);
    bodies.insert(body.at("identity_data").dump());
  }
  for (const auto& row : read_csv("devices.csv"))
    expected.insert(Json({{"name", row.at("id")}, {"sn", row.at("serial")}}).dump());
  EXPECT_EQ(bodies, expected);
}

}  // namespace
}  // namespace imprint::cli::test
