// Connections: who is trusted, how many there are, when they end.

#include <algorithm>

#include "devauth/run_fixture.hpp"

namespace imprint::devauth {
namespace {

TEST(Preauthorize, AnotherTokenIsRefused) {
  NEED_SERVER();
  const MenderServer server;
  Heard heard;
  Settings settings;
  settings.token = "wrong-token";
  EXPECT_THAT(stopped(run(server, many(1), heard, settings)), HasSubstr("(401)"));
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
