// What depends on the time: rotations of certificates that are about to end, or have ended.

#include "imprint/server/rotate.hpp"

#include <gmock/gmock.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::server {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::TempDir;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr TimePoint kMade{std::chrono::seconds(1'800'000'000)};
constexpr std::chrono::hours kDay{24};

class RotateInTime : public testing::Test {
 protected:
  RotateInTime() {
    KeygenRequest request;
    request.directory = tree();
    const auto names = server_names("mender.example.com", "--cn", {}, "--san");
    request.servers = {*names};
    request.days = 365;
    request.service_key = crypto::KeyKind::ed25519;
    EXPECT_THAT(keygen(request, FixedClock(kMade)), IsOk());
  }

  [[nodiscard]] fs::path tree() const { return dir_ / "keys"; }

  [[nodiscard]] Result<RotateReport> rotate(TimePoint now, RotateStep step = RotateStep::begin,
                                            bool force = false) const {
    CertificateRotation request;
    request.directory = tree();
    request.step = step;
    request.force = force;
    return rotate_certificates(request, FixedClock(now));
  }

  TempDir dir_;
};

TEST_F(RotateInTime, AStopLeavesEachStepUndone) {
  const std::atomic<bool> stop = true;
  const auto stopped = [&](RotateStep step) {
    CertificateRotation request;
    request.directory = tree();
    request.step = step;
    request.stop = &stop;
    return rotate_certificates(request, FixedClock(kMade));
  };
  EXPECT_THAT(stopped(RotateStep::begin), FailsWith(Code::cancelled, "interrupted"));
  EXPECT_FALSE(fs::exists(tree() / "cert/next"));
  ASSERT_THAT(rotate(kMade), IsOk());
  EXPECT_THAT(stopped(RotateStep::switch_to), FailsWith(Code::cancelled, "interrupted"));
  EXPECT_FALSE(fs::exists(tree() / "cert/old"));
  ASSERT_THAT(rotate(kMade, RotateStep::switch_to), IsOk());
  EXPECT_THAT(stopped(RotateStep::finish), FailsWith(Code::cancelled, "interrupted"));
  EXPECT_TRUE(fs::exists(tree() / "cert/old"));
  EXPECT_FALSE(fs::exists(tree() / ".cert.new"));
}

TEST_F(RotateInTime, InGoodTimeNothingIsWarnedOf) {
  const auto report = rotate(kMade + kDay * 274);
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->warnings, IsEmpty());
  ASSERT_EQ(report->certificates.size(), 2U);
  EXPECT_EQ(report->certificates[0].certificate.not_after(), kMade + kDay * 365);
  EXPECT_EQ(report->certificates[1].certificate.not_before(), kMade + kDay * 274);
  EXPECT_EQ(report->certificates[1].certificate.not_after(), kMade + kDay * (274 + 3650));
}

TEST_F(RotateInTime, ShortNoticeIsWarnedOf) {
  const auto report = rotate(kMade + kDay * 276);
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->warnings,
              ElementsAre("the old certificate ends on " + to_rfc3339(kMade + kDay * 365) +
                          ", in 89 days: clients that have not got the new 'server.crt' by then "
                          "cannot connect any more"));
}

TEST_F(RotateInTime, AGapIsRefused) {
  const TimePoint end = kMade + kDay * 365;
  EXPECT_THAT(
      rotate(end),
      FailsWith(Code::invalid_input,
                "'" + (tree() / "cert/cert.crt").string() + "' has ended on " + to_rfc3339(end) +
                    ": devices cannot connect, and no update brings them another one; give "
                    "--force to make the next one all the same"));
  EXPECT_FALSE(fs::exists(tree() / "cert/next"));
  ASSERT_THAT(rotate(end - std::chrono::seconds(1)), IsOk());
}

TEST_F(RotateInTime, AndMadeAllTheSameWhenAskedFor) {
  const auto begun = rotate(kMade + kDay * 400, RotateStep::begin, true);
  ASSERT_THAT(begun, IsOk());
  EXPECT_THAT(begun->warnings,
              ElementsAre("the old certificate has ended on " + to_rfc3339(kMade + kDay * 365) +
                          ": no update reaches a device any more, and each has to be given the "
                          "new 'server.crt' by hand"));
  EXPECT_THAT(begun->notes.at(begun->notes.size() - 2),
              StartsWith("then: 'imprint keygen rotate --out "));
  ASSERT_THAT(rotate(kMade + kDay * 400, RotateStep::switch_to), IsOk());
  ASSERT_THAT(rotate(kMade + kDay * 400, RotateStep::finish), IsOk());
}

TEST_F(RotateInTime, ANextThatIsNotValidIsNotSwitchedTo) {
  ASSERT_THAT(rotate(kMade + kDay * 100), IsOk());
  EXPECT_THAT(
      rotate(kMade + kDay * 99, RotateStep::switch_to),
      FailsWith(Code::invalid_input, "'" + (tree() / "cert/next/cert.crt").string() +
                                         "' is valid from " + to_rfc3339(kMade + kDay * 100) +
                                         " to " + to_rfc3339(kMade + kDay * 3750) +
                                         ", not now; look at the clock, or begin anew without it"));
  EXPECT_TRUE(fs::exists(tree() / "cert/next"));
}

}  // namespace
}  // namespace imprint::server
