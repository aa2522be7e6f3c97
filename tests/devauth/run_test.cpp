// Against a server over TLS that behaves as Mender's does.

#include <algorithm>

#include "devauth/run_fixture.hpp"

namespace imprint::devauth {
namespace {

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

}  // namespace
}  // namespace imprint::devauth
