#include "verdict.hpp"

#include <gmock/gmock.h>

namespace imprint::devauth {
namespace {

using Kind = Verdict::Kind;

Reply answer(long status, std::string body = {}) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

TEST(Verdict, OfEveryStatusIsOneOfFew) {
  for (long status = 200; status < 600; ++status) {
    const Verdict verdict = judge_post(answer(status));
    Kind expected = Kind::refused;
    if (status < 400) expected = Kind::hopeless;
    if (status == 201 || status == 408 || status == 425 || status == 429 || status >= 500) {
      expected = Kind::retry;
    }
    if (status == 401) expected = Kind::stop;
    if (status == 403 || status == 404 || status == 405) expected = Kind::hopeless;
    if (status == 409) expected = Kind::exists;
    EXPECT_EQ(verdict.kind, expected) << status;
    EXPECT_EQ(verdict.busy, status == 429) << status;
    EXPECT_EQ(verdict.reason.empty(), status == 409) << status;
  }
}

TEST(Verdict, OfANewDeviceHasItsId) {
  Reply reply = answer(201);
  reply.location = "devices/5f";
  EXPECT_EQ(judge_post(reply).kind, Kind::created);
  EXPECT_EQ(judge_post(reply).device_id, "5f");
}

TEST(Verdict, OfAGetIsADeviceOrNone) {
  EXPECT_EQ(judge_get(answer(200)).kind, Kind::shown);
  EXPECT_EQ(judge_get(answer(404)).kind, Kind::gone);
  EXPECT_EQ(judge_get(answer(503)).kind, Kind::retry);
  EXPECT_EQ(judge_get(answer(401)).kind, Kind::stop);
}

TEST(Verdict, SaysWhatTheServerSays) {
  EXPECT_EQ(judge_post(answer(400, R"({"error":"bad key"})")).reason,
            "the server answers 400: bad key");
  EXPECT_EQ(judge_post(answer(503, "<html>")).reason, "the server answers 503");
}

TEST(Verdict, WaitsAsLongAsTheServerAsks) {
  Reply reply = answer(429);
  reply.retry_after = std::chrono::seconds(7);
  EXPECT_EQ(judge_post(reply).wait, std::chrono::seconds(7));
}

}  // namespace
}  // namespace imprint::devauth
