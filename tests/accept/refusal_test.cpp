// Who is not accepted: Debian's Mender client on images that lack one thing each.

#include <gmock/gmock.h>

#include "accept/device.hpp"
#include "accept/fleet.hpp"
#include "support/in_memory.hpp"

namespace imprint::accept {
namespace {

namespace fs = std::filesystem;

using imprint::test::wait_until;
using testing::HasSubstr;

IMPRINT_TEMPORARIES_IN_MEMORY();

const std::string kStatus = "unexpected authorization status ";
/// nginx's page for a certificate that it does not take.
const std::string kCertificateError =
    kStatus + R"(400 server error message: <html>\r\n<head><title>400 The SSL certificate error)";
const std::string kNoCertificate =
    kStatus + R"(400 server error message: <html>\r\n<head><title>400 No required SSL certificate)";

class Refused : public testing::TestWithParam<Issuer> {
 protected:
  void SetUp() override {
    IMPRINT_NEED_FLEET();
    source_ = best_source();
    IMPRINT_NEED_DEVICE(source_);
    fleet_.emplace(Fleet::Wish{.issuer = GetParam()});
  }

  void expect_said(const Device& device, const std::string& words) {
    EXPECT_TRUE(wait_until([&] { return device.log().find(words) != std::string::npos; }))
        << device.log() << fleet_->edge().log();
  }

  /// The device is refused, and says so in these words; it was never accepted.
  void expect_refused(const std::string& id, const fs::path& image, const std::string& words) {
    const Device device(image, source_);
    expect_said(device, words);
    EXPECT_TRUE(fleet_->server().authorizations(id, 200).empty());
  }

  void expect_accepted(const std::string& id, const fs::path& image) {
    const Device device(image, source_);
    EXPECT_TRUE(wait_until([&] { return fleet_->server().works(id); })) << device.log();
  }

  Source source_ = Source::kernel;
  std::optional<Fleet> fleet_;
};

TEST_P(Refused, WithoutACertificate) {
  const fs::path image = fleet_->provision({.id = "unit"});
  drop_setting(image, "HttpsClient");
  fleet_->preauthorize();
  expect_refused("unit", image, kNoCertificate);
  EXPECT_TRUE(fleet_->server().decisions().empty()) << "the edge lets nobody through";
  EXPECT_THAT(fleet_->edge().log(), HasSubstr("client sent no required SSL certificate"));
}

TEST_P(Refused, WithTheCertificateOfAnotherCa) {
  imprint_does({"ca", "init", "other", "--cn", GetParam() == Issuer::root ? "Root" : "Line 1"});
  const fs::path image = fleet_->provision({.id = "unit", .authority = "other"});
  expect_refused("unit", image, kCertificateError);
  EXPECT_TRUE(fleet_->server().decisions().empty());
  EXPECT_THAT(fleet_->edge().log(), HasSubstr("client SSL certificate verify error"));
}

TEST_P(Refused, WithARevokedCertificate) {
  const fs::path stolen = fleet_->provision({.id = "stolen"});
  const fs::path good = fleet_->provision({.id = "good"});
  fleet_->preauthorize();
  expect_accepted("stolen", stolen);

  fleet_->revoke("stolen");
  fleet_->edge().refresh(Fleet::ledger());
  const std::size_t before = fleet_->server().decisions().size();
  const bool by_crl = GetParam() == Issuer::root;
  expect_said(
      Device(stolen, source_),
      by_crl ? kCertificateError : kStatus + "403 server error message: certificate revoked");
  EXPECT_EQ(fleet_->server().decisions().size(), before) << "the edge lets nobody through";
  EXPECT_EQ(fleet_->edge().log().find("certificate revoked") != std::string::npos, by_crl);
  expect_accepted("good", good);
}

TEST_P(Refused, UnderTheNameOfAnotherDevice) {
  const fs::path victim = fleet_->provision({.id = "victim"});
  const fs::path thief = fleet_->provision({.id = "thief", .reports = "victim"});
  fleet_->preauthorize();
  expect_refused("victim", thief, "the device is pending: it was preauthorized with another key");
  expect_accepted("victim", victim);
}

TEST_P(Refused, UntilItIsPreauthorized) {
  const fs::path image = fleet_->provision({.id = "unit"});
  expect_refused("unit", image, "the device is pending: nobody has preauthorized its identity");
  fleet_->preauthorize();
  expect_accepted("unit", image);
}

INSTANTIATE_TEST_SUITE_P(ByIssuer, Refused, testing::Values(Issuer::root, Issuer::intermediate),
                         [](const testing::TestParamInfo<Issuer>& of) {
                           return name_of(of.param);
                         });

}  // namespace
}  // namespace imprint::accept
