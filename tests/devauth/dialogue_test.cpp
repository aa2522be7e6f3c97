#include "dialogue.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "devauth/mender_server.hpp"
#include "imprint/base/bytes.hpp"
#include "support/command.hpp"

namespace imprint::devauth {
namespace {

using Kind = Dialogue::Next::Kind;
using Request = Dialogue::Request;

Preauthorization device() {
  return parse_bodies(test::body_line("mac-1", 1)).value().at(0);
}

Reply answer(long status, std::string body = {}, std::string location = {}) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.location = std::move(location);
  return reply;
}

const Reply kExists = answer(409, R"({"id":"d-1","status":"accepted"})");
const Reply kShownWithoutOurs =
    answer(200, R"({"id":"d-1","status":"accepted","auth_sets":[{"pubkey":"another"}]})");

TEST(Dialogue, AsksLooksAndForcesInThisOrder) {
  IMPRINT_NEED_COMMAND("openssl");
  const Preauthorization ours = device();
  Dialogue dialogue(ours, true);
  EXPECT_EQ(dialogue.request(), Request::ask);
  const auto exists = dialogue.answered(kExists);
  EXPECT_EQ(exists.kind, Kind::request);
  EXPECT_TRUE(exists.server_works);
  EXPECT_EQ(dialogue.request(), Request::look);
  EXPECT_EQ(dialogue.known_id(), "d-1");
  EXPECT_EQ(dialogue.answered(kShownWithoutOurs).kind, Kind::request);
  EXPECT_EQ(dialogue.request(), Request::force);
  const auto created = dialogue.answered(answer(201, {}, "devices/d-2"));
  EXPECT_EQ(created.kind, Kind::settled);
  EXPECT_EQ(created.outcome, Outcome::accepted);
  EXPECT_EQ(created.device_id, "d-1") << "not the one in the Location of a forced request";
}

TEST(Dialogue, ForcesOnceWhereTheServerTakesNoNotice) {
  IMPRINT_NEED_COMMAND("openssl");
  const Preauthorization ours = device();
  Dialogue dialogue(ours, true);
  for (const Reply& reply : {kExists, kShownWithoutOurs, kExists})
    EXPECT_EQ(dialogue.answered(reply).kind, Kind::request);
  EXPECT_EQ(dialogue.request(), Request::look);
  const auto still = dialogue.answered(kShownWithoutOurs);
  EXPECT_EQ(still.kind, Kind::settled);
  EXPECT_EQ(still.outcome, Outcome::conflict);
  EXPECT_EQ(still.device_id, "d-1");
}

TEST(Dialogue, BeginsAgainWithADeviceThatIsBeingRemoved) {
  IMPRINT_NEED_COMMAND("openssl");
  const Preauthorization ours = device();
  Dialogue dialogue(ours, true);
  for (const Reply& reply : {kExists, kShownWithoutOurs, kExists})
    EXPECT_EQ(dialogue.answered(reply).kind, Kind::request);
  const auto gone = dialogue.answered(answer(404));
  EXPECT_EQ(gone.kind, Kind::again);
  EXPECT_EQ(gone.reason, "the server is removing the device");
  EXPECT_FALSE(gone.server_works);
  EXPECT_EQ(dialogue.request(), Request::ask);
  for (const Reply& reply : {kExists, kShownWithoutOurs})
    EXPECT_EQ(dialogue.answered(reply).kind, Kind::request);
  EXPECT_EQ(dialogue.request(), Request::force) << "it is another device now";
}

TEST(Dialogue, WaitsAsTheServerAsks) {
  IMPRINT_NEED_COMMAND("openssl");
  const Preauthorization ours = device();
  Dialogue dialogue(ours, false);
  Reply busy = answer(429);
  busy.retry_after = std::chrono::seconds(7);
  const auto next = dialogue.answered(busy);
  EXPECT_EQ(next.kind, Kind::again);
  EXPECT_TRUE(next.busy);
  EXPECT_EQ(next.wait, std::chrono::seconds(7));
  EXPECT_EQ(dialogue.request(), Request::ask);
}

TEST(Dialogue, TellsWhatIsWrongWithAllFromWhatIsWrongWithOne) {
  IMPRINT_NEED_COMMAND("openssl");
  const Preauthorization ours = device();
  EXPECT_EQ(Dialogue(ours, false).answered(answer(401)).kind, Kind::stop);
  EXPECT_EQ(Dialogue(ours, false).answered(answer(403)).kind, Kind::hopeless);
  const auto refused = Dialogue(ours, false).answered(answer(400, R"({"error":"no"})"));
  EXPECT_EQ(refused.kind, Kind::settled);
  EXPECT_EQ(refused.outcome, Outcome::failed);
  EXPECT_EQ(refused.reason, "the server answers 400: no");
  EXPECT_TRUE(refused.server_works);
}

}  // namespace
}  // namespace imprint::devauth
