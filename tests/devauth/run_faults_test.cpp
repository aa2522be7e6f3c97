// Against a server that does not behave.

#include "devauth/run_fixture.hpp"

namespace imprint::devauth {
namespace {

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

}  // namespace
}  // namespace imprint::devauth
