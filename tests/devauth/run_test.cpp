// Against a server over TLS that behaves as Mender's does, and one that does not.

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "devauth/mender_server.hpp"
#include "imprint/base/file.hpp"
#include "imprint/devauth/preauthorize.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::devauth {
namespace {

using namespace std::chrono_literals;
using test::body_line;
using test::FailsWith;
using test::IsOk;
using test::MenderServer;
using test::TempDir;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using Tls = MenderServer::Tls;

/// What came of each device, by its label; the latest device id.
struct Heard final : Listener {
  Result<> answered(const Answer& answer) override {
    const bool is_new =
        outcomes.emplace(answer.device.label, std::string(name(answer.outcome))).second;
    EXPECT_TRUE(is_new) << answer.device.label << " is told twice";
    ids[answer.device.label] = answer.device_id;
    reason = answer.reason;
    if (stop_after == outcomes.size()) stop = true;
    return fails ? Result<>(fail(Code::no_space, "the listener is full")) : Result<>();
  }

  Result<> tick() override {
    ++ticks;
    return {};
  }

  std::map<std::string, std::string> outcomes;
  std::map<std::string, std::string> ids;
  std::string reason;
  std::size_t ticks = 0;
  std::size_t stop_after = 0;
  bool fails = false;
  std::atomic<bool> stop = false;
};

struct Settings {
  unsigned jobs = 8;
  unsigned retries = 2;
  std::chrono::milliseconds timeout = 10s;
  bool force = false;
  bool trust = true;
  std::string token = MenderServer::kToken;
};

Result<Summary> run(const std::string& url, const Bytes& ca_pem, const std::string& bodies,
                    Heard& heard, const Settings& settings = {}) {
  const auto devices = parse_bodies(bodies);
  EXPECT_THAT(devices, IsOk());
  const auto server = ServerUrl::parse(url);
  EXPECT_THAT(server, IsOk());
  const crypto::SecretBytes token(bytes_of(settings.token));
  const Options options{.server = *server,
                        .token = token,
                        .ca_pem = ca_pem,
                        .jobs = settings.jobs,
                        .retries = settings.retries,
                        .timeout = settings.timeout,
                        .force = settings.force,
                        .first_pause = 20ms};
  auto summary = preauthorize(*devices, options, heard, heard.stop);
  if (summary) {
    EXPECT_EQ(summary->accepted + summary->known + summary->conflicts + summary->failed +
                  summary->not_sent,
              devices->size());
    if (summary->stopped) {
      EXPECT_THAT(summary->stopped->message(), Not(HasSubstr(settings.token)));
    }
  }
  EXPECT_THAT(heard.reason, Not(HasSubstr(settings.token)));
  return summary;
}

Result<Summary> run(const MenderServer& server, const std::string& bodies, Heard& heard,
                    const Settings& settings = {}) {
  const bool trust = settings.trust && server.url().starts_with("https");
  const Bytes ca = trust ? read_file(server.certificate()).value() : Bytes();
  return run(server.url(), ca, bodies, heard, settings);
}

std::string many(int devices) {
  std::string bodies;
  for (int i = 0; i < devices; ++i)
    bodies += body_line(fmt::format("mac-{}", i), 1);
  return bodies;
}

/// A device that the server has already.
fs::path known_file(const TempDir& dir, int key, const std::string& more = {}) {
  std::string line = body_line("mac-0", key);
  line.insert(1, R"("id":"known-1",)" + more);
  return dir.write("known", line);
}

std::string stopped(const Result<Summary>& summary) {
  if (!summary || !summary->stopped) return "(went on)";
  return summary->stopped->message();
}

#define NEED_SERVER() IMPRINT_NEED_MENDER_SERVER()

TEST(Preauthorize, TellsTheServerOfNewDevices) {
  NEED_SERVER();
  const MenderServer server;
  Heard heard;
  const auto summary = run(server, many(3), heard);
  ASSERT_THAT(summary, IsOk());
  EXPECT_EQ(stopped(summary), "(went on)");
  EXPECT_EQ(summary->accepted, 3U);
  EXPECT_GT(heard.ticks, 0U);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  for (const auto& request : requests) {
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/api/management/v2/devauth/devices");
    EXPECT_TRUE(request.authorized);
    EXPECT_THAT(request.body, HasSubstr(R"("force":false)"));
  }
  EXPECT_EQ(
      std::set<std::string>({heard.ids["line 1"], heard.ids["line 2"], heard.ids["line 3"]}).size(),
      3U);
  EXPECT_EQ(heard.ids["line 1"].size(), 36U) << "a UUID";
}

TEST(Preauthorize, NothingToSendIsNoRequest) {
  NEED_SERVER();
  const MenderServer server;
  Heard heard;
  EXPECT_THAT(run(server, "", heard), IsOk());
  EXPECT_EQ(server.requests().size(), 0U);
}

TEST(Preauthorize, FindsWhatIsThereAlready) {
  NEED_SERVER();
  const MenderServer server;
  Heard first;
  ASSERT_THAT(run(server, many(2), first), IsOk());
  Heard second;
  const auto summary = run(server, many(3), second);
  ASSERT_THAT(summary, IsOk());
  EXPECT_EQ(summary->known, 2U);
  EXPECT_EQ(summary->accepted, 1U);
  EXPECT_EQ(second.ids["line 1"], first.ids["line 1"]);
  EXPECT_EQ(server.count("GET"), 2U) << "the 409 shows no keys";
}

TEST(Preauthorize, TellsConflictsApart) {
  NEED_SERVER();
  const TempDir dir;
  const MenderServer server({"--known", known_file(dir, 2)});
  Heard heard;
  const auto summary = run(server, many(2), heard);
  ASSERT_THAT(summary, IsOk());
  EXPECT_EQ(summary->conflicts, 1U);
  EXPECT_EQ(summary->accepted, 1U);
  EXPECT_EQ(heard.outcomes["line 1"], "conflict");
  EXPECT_EQ(heard.ids["line 1"], "known-1");
}

TEST(Preauthorize, SaysWhatToDoAboutAConflict) {
  NEED_SERVER();
  const TempDir dir;
  Heard heard;
  ASSERT_THAT(run(MenderServer({"--known", known_file(dir, 2)}), many(1), heard), IsOk());
  EXPECT_EQ(heard.reason,
            "the server knows it as device 'known-1' by another key; decommission that device, or "
            "give --force to add this key to it");
  Heard rejected;
  const fs::path known = known_file(dir, 1, R"("key_status":"rejected",)");
  ASSERT_THAT(run(MenderServer({"--known", known}), many(1), rejected), IsOk());
  EXPECT_EQ(rejected.outcomes["line 1"], "conflict");
  EXPECT_EQ(rejected.reason,
            "the server knows it as device 'known-1' and has rejected this key; accept it there, "
            "or give --force");
  Heard old;
  ASSERT_THAT(run(MenderServer({"--known", known, "--old"}), many(1), old), IsOk());
  EXPECT_EQ(old.outcomes["line 1"], "conflict");
  EXPECT_EQ(old.reason,
            "the server knows this identity (409) and does not show the device: look there whether "
            "its key is this one");
}

TEST(Preauthorize, ForcesOnlyWhatIsInConflictAndKeepsItsId) {
  NEED_SERVER();
  const TempDir dir;
  const MenderServer server({"--known", known_file(dir, 2)});
  Heard heard;
  Settings settings;
  settings.force = true;
  const auto summary = run(server, many(2), heard, settings);
  ASSERT_THAT(summary, IsOk());
  EXPECT_EQ(summary->accepted, 2U);
  EXPECT_EQ(heard.ids["line 1"], "known-1") << "not the one in the Location of a forced request";
  const auto requests = server.requests();
  EXPECT_EQ(std::count_if(requests.begin(), requests.end(),
                          [](const auto& request) {
                            return request.body.find(R"("force":true)") != std::string::npos;
                          }),
            1);
  Heard again;
  EXPECT_EQ(run(server, many(2), again)->known, 2U);
}

TEST(Preauthorize, FinishesWhatTheServerHasBrokenOff) {
  NEED_SERVER();
  const MenderServer server({"--fault", "unfinished", "--times", "1"});
  Heard heard;
  ASSERT_THAT(run(server, many(1), heard), IsOk());
  EXPECT_EQ(heard.outcomes["line 1"], "accepted");
  Heard again;
  ASSERT_THAT(run(server, many(1), again), IsOk());
  EXPECT_EQ(again.outcomes["line 1"], "known");
  EXPECT_EQ(again.ids["line 1"], heard.ids["line 1"]);
}

TEST(Preauthorize, WaitsForADeviceToBeRemoved) {
  NEED_SERVER();
  const TempDir dir;
  Heard heard;
  const auto summary = run(
      MenderServer({"--known", known_file(dir, 1, R"("decommissioning":true,)")}), many(2), heard);
  EXPECT_EQ(stopped(summary), "(went on)");
  EXPECT_EQ(heard.outcomes["line 1"], "failed");
  EXPECT_EQ(heard.reason, "the server is removing the device 'known-1' (3 tries)");
  Heard gone;
  const MenderServer server({"--known", known_file(dir, 1), "--fault", "gone"});
  ASSERT_THAT(run(server, many(1), gone), IsOk());
  EXPECT_EQ(gone.outcomes["line 1"], "accepted") << "removed between two requests";
}

TEST(Preauthorize, RefusedDevicesAreTheirOwnFailure) {
  NEED_SERVER();
  const MenderServer server({"--fault", "400", "--only", "mac-1"});
  Heard heard;
  const auto summary = run(server, many(3), heard);
  EXPECT_EQ(stopped(summary), "(went on)");
  EXPECT_EQ(summary->accepted, 2U);
  EXPECT_EQ(summary->failed, 1U);
  EXPECT_EQ(heard.outcomes["line 2"], "failed");
  EXPECT_EQ(server.requests().size(), 3U) << "400 is not tried again";
  Heard alone;
  ASSERT_THAT(run(server, body_line("mac-1", 1), alone), IsOk());
  EXPECT_EQ(alone.reason, "the server answers 400: so it is");
}

TEST(Preauthorize, StopsWhereNothingCanGoWell) {
  NEED_SERVER();
  const auto stops = [](const std::string& fault, const std::string& message) {
    const MenderServer server({"--fault", fault});
    Heard heard;
    Settings settings;
    settings.jobs = 1;
    const auto summary = run(server, many(5), heard, settings);
    EXPECT_EQ(stopped(summary), fmt::format("'{}': {}", server.url(), message));
    if (summary && summary->stopped) {
      EXPECT_EQ(summary->stopped->code, Code::invalid_input) << fault;
    }
    EXPECT_THAT(heard.outcomes, IsEmpty());
    EXPECT_EQ(server.requests().size(), 1U) << fault << " is not tried again";
  };
  stops("401",
        "the server does not accept the token (401): it has expired or is another server's; "
        "put a new one into the --token-file");
  stops("403",
        "the token does not allow it (403): its user needs the right to preauthorize "
        "devices");
  stops("404", "there is no device API (404); is --server right?");
  stops("page", "the server answers 200, as no Mender server does; is --server right?");
  stops("huge",
        "the answer has more than 1048576 bytes, as no Mender server's has; is --server right?");
  stops("redirect",
        "the server sends us to 'https://elsewhere.example.com/api/management/v2/devauth/devices' "
        "(307), where the token must not go; give the address of the Mender server itself as "
        "--server");
}

TEST(Preauthorize, StopsForATokenThatExpiresMeanwhile) {
  NEED_SERVER();
  const MenderServer server({"--fault", "401", "--skip", "2"});
  Heard heard;
  Settings settings;
  settings.jobs = 1;
  const auto summary = run(server, many(6), heard, settings);
  EXPECT_THAT(stopped(summary), HasSubstr("(401)"));
  EXPECT_EQ(summary->accepted, 2U);
  EXPECT_EQ(summary->not_sent, 4U);
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST(Preauthorize, AnotherTokenIsRefused) {
  NEED_SERVER();
  const MenderServer server;
  Heard heard;
  Settings settings;
  settings.token = "wrong-token";
  EXPECT_THAT(stopped(run(server, many(1), heard, settings)), HasSubstr("(401)"));
}

TEST(Preauthorize, AnOddAnswerInTheMiddleIsThatDevices) {
  NEED_SERVER();
  const MenderServer server({"--fault", "403", "--skip", "1", "--times", "1"});
  Heard heard;
  Settings settings;
  settings.jobs = 1;
  const auto summary = run(server, many(3), heard, settings);
  EXPECT_EQ(stopped(summary), "(went on)");
  EXPECT_EQ(summary->accepted, 2U);
  EXPECT_EQ(heard.outcomes["line 2"], "failed");
}

TEST(Preauthorize, TriesAgainWhatMayPass) {
  NEED_SERVER();
  for (const char* fault :
       {"500", "502", "503", "408", "429", "drop", "cut", "garbage", "no-id", "lost"}) {
    const MenderServer server({"--fault", fault, "--times", "2"});
    Heard heard;
    const auto summary = run(server, many(1), heard);
    EXPECT_EQ(stopped(summary), "(went on)") << fault;
    EXPECT_EQ(heard.outcomes["line 1"], std::string(fault) == "lost" ? "known" : "accepted")
        << fault;
    EXPECT_GT(server.requests().size(), 1U) << fault;
  }
}

TEST(Preauthorize, GivesUpWhereNothingPasses) {
  NEED_SERVER();
  const auto gives_up = [](const std::string& fault, const std::string& message) {
    const MenderServer server({"--fault", fault});
    Heard heard;
    Settings settings;
    settings.timeout = fault == "slow" ? 300ms : 10s;
    const auto summary = run(server, many(40), heard, settings);
    EXPECT_THAT(stopped(summary),
                testing::MatchesRegex(fmt::format("'{}': {} \\(3 tries\\); run the same command "
                                                  "again to go on",
                                                  server.url(), message)));
    if (summary && summary->stopped) {
      EXPECT_EQ(summary->stopped->code, Code::io) << fault;
    }
    EXPECT_THAT(heard.outcomes, IsEmpty()) << fault;
    EXPECT_LE(server.requests().size(), 24U) << "no more than those that were under way";
  };
  gives_up("500", "the server answers 500: so it is");
  gives_up("429", "the server answers 429: too many requests");
  gives_up("garbage", ".*HTTP/0.9.*");
  gives_up("drop", ".*");
  gives_up("cut", ".*");
  gives_up("slow", "Operation timed out after .*");
  gives_up("no-id", "the server answers 201 without the device's id");
}

TEST(Preauthorize, OneDeviceThatTheServerFailsAtIsItsOwnFailure) {
  NEED_SERVER();
  const MenderServer server({"--fault", "500", "--only", "mac-0"});
  Heard heard;
  const auto summary = run(server, many(20), heard);
  EXPECT_EQ(stopped(summary), "(went on)");
  EXPECT_EQ(summary->accepted, 19U);
  EXPECT_EQ(heard.outcomes["line 1"], "failed");
  EXPECT_EQ(heard.reason, "the server answers 500: so it is (3 tries)");
}

TEST(Preauthorize, WaitsAsLongAsTheServerAsks) {
  NEED_SERVER();
  const MenderServer server({"--fault", "429:1", "--times", "1"});
  Heard heard;
  Settings settings;
  settings.jobs = 1;
  EXPECT_EQ(run(server, many(2), heard, settings)->accepted, 2U);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_GE(requests[1].at - requests[0].at, 0.95);
  Heard never;
  const MenderServer busy({"--fault", "429:86400"});
  const auto summary = run(busy, many(2), never);
  EXPECT_EQ(stopped(summary),
            fmt::format("'{}': the server answers 429: too many requests and asks us to "
                        "wait for 86400 s; run the same command again later",
                        busy.url()));
  EXPECT_EQ(summary->stopped->code, Code::busy);
}

TEST(Preauthorize, ManyTooManyRequestsAreNoFailureWhileOthersGetThrough) {
  NEED_SERVER();
  const MenderServer server({"--fault", "429", "--skip", "4", "--times", "30"});
  Heard heard;
  Settings settings;
  settings.retries = 12;
  const auto summary = run(server, many(60), heard, settings);
  EXPECT_EQ(stopped(summary), "(went on)");
  EXPECT_EQ(summary->accepted, 60U);
}

TEST(Preauthorize, NobodyListens) {
  Heard heard;
  const auto summary = run("http://127.0.0.1:1", {}, many(20), heard);
  EXPECT_THAT(stopped(summary), StartsWith("'http://127.0.0.1:1': Failed to connect to 127.0.0.1 "
                                           "port 1"));
  EXPECT_EQ(summary->stopped->code, Code::io);
  EXPECT_EQ(summary->not_sent, 20U);
}

TEST(Preauthorize, AServerWithoutANameIsUnreachable) {
  Heard heard;
  const auto summary = run("https://mender.invalid", {}, many(1), heard);
  EXPECT_EQ(stopped(summary),
            "'https://mender.invalid': Could not resolve host: mender.invalid (3 tries); run the "
            "same command again to go on");
}

TEST(Preauthorize, TrustsNobodyUnasked) {
  NEED_SERVER();
  Settings settings;
  settings.trust = false;
  const MenderServer server;
  Heard heard;
  const auto summary = run(server, many(3), heard, settings);
  EXPECT_THAT(stopped(summary),
              StartsWith(fmt::format("'{}': its certificate is not trusted (", server.url())));
  EXPECT_THAT(stopped(summary), HasSubstr("); give the certificate that it is signed with as "
                                          "--ca-file, and a name that is in it as --server"));
  EXPECT_EQ(summary->stopped->code, Code::invalid_input);
  EXPECT_THAT(server.requests(), IsEmpty());
  const MenderServer elsewhere({}, Tls::for_another_name);
  EXPECT_THAT(stopped(run(elsewhere, many(1), heard)), HasSubstr("its certificate is not trusted"));
  EXPECT_THAT(elsewhere.requests(), IsEmpty());
}

TEST(Preauthorize, PlainHttpGoesThroughNoProxy) {
  NEED_SERVER();
  const MenderServer proxy({}, Tls::no);
  const MenderServer server({}, Tls::no);
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  ::setenv("ALL_PROXY", proxy.url().c_str(), 1);
  Heard heard;
  const auto summary = run(server, many(2), heard);
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  EXPECT_EQ(summary->accepted, 2U);
  EXPECT_THAT(proxy.requests(), IsEmpty());
}

TEST(Preauthorize, TheTokenIsNotShownWhereTheServerRepeatsIt) {
  NEED_SERVER();
  Heard heard;
  ASSERT_THAT(run(MenderServer({"--fault", "echo"}), many(1), heard), IsOk());
  EXPECT_EQ(heard.reason, "the server answers 400: (text with the token in it)");
  Heard odd;
  ASSERT_THAT(run(MenderServer({"--fault", "odd-text"}), many(1), odd), IsOk());
  EXPECT_EQ(odd.reason, R"(the server answers 400: bad\x1b[31m\nkey)");
}

TEST(Preauthorize, ADeviceThatIsShownWithoutKeysIsAFailure) {
  NEED_SERVER();
  const TempDir dir;
  Heard heard;
  ASSERT_THAT(
      run(MenderServer({"--known", known_file(dir, 1), "--fault", "no-keys"}), many(1), heard),
      IsOk());
  EXPECT_EQ(heard.outcomes["line 1"], "failed");
  EXPECT_EQ(heard.reason, "the server shows the device without its keys");
}

TEST(Preauthorize, UsesAsManyConnectionsAsJobsAndKeepsThem) {
  NEED_SERVER();
  const MenderServer server({"--delay", "0.02"});
  Heard heard;
  Settings settings;
  settings.jobs = 4;
  EXPECT_EQ(run(server, many(80), heard, settings)->accepted, 80U);
  std::set<int> clients;
  int most = 0;
  for (const auto& request : server.requests()) {
    clients.insert(request.client);
    most = std::max(most, request.active);
  }
  EXPECT_EQ(clients.size(), 4U);
  EXPECT_EQ(most, 4);
}

TEST(Preauthorize, TheNextRequestFollowsTheLastAtOnce) {
  NEED_SERVER();
  const MenderServer server;
  Heard heard;
  Settings settings;
  settings.jobs = 1;
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(run(server, many(60), heard, settings)->accepted, 60U);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 3s) << "6 s with a poll between two";
}

TEST(Preauthorize, StopsWhenAskedToAndTellsWhatWasAnswered) {
  NEED_SERVER();
  const MenderServer server({"--delay", "0.02"});
  Heard heard;
  heard.stop_after = 10;
  const auto summary = run(server, many(100), heard);
  ASSERT_THAT(summary, IsOk());
  EXPECT_TRUE(summary->interrupted);
  EXPECT_GE(summary->accepted, 10U);
  EXPECT_LE(summary->accepted, 17U) << "those under way were waited for";
  EXPECT_EQ(summary->accepted, server.requests().size());
  Heard rest;
  EXPECT_EQ(run(server, many(100), rest)->known, summary->accepted);
}

TEST(Preauthorize, CutsOffWhatIsSlowWhenAskedToStop) {
  NEED_SERVER();
  const MenderServer server({"--fault", "slow", "--skip", "1"});
  Heard heard;
  heard.stop_after = 1;
  Settings settings;
  settings.timeout = 60s;
  const auto before = std::chrono::steady_clock::now();
  const auto summary = run(server, many(8), heard, settings);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 2900ms);
  EXPECT_TRUE(summary->interrupted);
  EXPECT_EQ(summary->not_sent, 7U);
}

TEST(Preauthorize, AListenerThatFailsEndsTheRun) {
  NEED_SERVER();
  const MenderServer server;
  Heard heard;
  heard.fails = true;
  EXPECT_THAT(run(server, many(5), heard), FailsWith(Code::no_space, "the listener is full"));
}

}  // namespace
}  // namespace imprint::devauth
