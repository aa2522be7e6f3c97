// The proof of the whole: what imprint has put into an image makes its device accepted. The device
// is Debian's Mender client (3.4) on the file systems of the image itself, the edge is nginx with
// the bundle of `imprint edge`, and the server behind it checks what Mender's checks.

#include <gmock/gmock.h>

#include "accept/device.hpp"
#include "accept/fleet.hpp"
#include "support/image_oracle.hpp"
#include "support/in_memory.hpp"

namespace imprint::accept {
namespace {

namespace fs = std::filesystem;

using imprint::cli::test::kData;
using imprint::cli::test::kRootfsA;
using imprint::test::ImageOracle;
using imprint::test::wait_until;

IMPRINT_TEMPORARIES_IN_MEMORY();

/// What the server calls a kind of keys that imprint makes.
struct Kind {
  const char* id;
  const char* key;
  const char* seen_as;
};

constexpr Kind kKinds[] = {{"unit-ec", "ec:P-256", "ec:secp256r1"},
                           {"unit-rsa", "rsa:2048", "rsa:2048"},
                           {"unit-ed25519", "ed25519", "ed25519"}};

/// The device is let in with the certificate on its image, and does its work with the token.
void expect_accepted(const Fleet& fleet, const Kind& kind, const fs::path& image,
                     const Device& device) {
  const DeviceAuth& server = fleet.server();
  EXPECT_TRUE(wait_until([&] { return server.works(kind.id); })) << kind.id << '\n'
                                                                 << device.log() << server.log();
  const auto accepted = server.authorizations(kind.id, 200);
  ASSERT_FALSE(accepted.empty());
  EXPECT_EQ(accepted.front().key, kind.seen_as);
  EXPECT_EQ(accepted.front().serial, serial_on(image));
  EXPECT_TRUE(server.authorizations(kind.id, 401).empty());
}

using Case = std::tuple<Issuer, std::string>;

class Accepted : public testing::TestWithParam<Case> {};

TEST_P(Accepted, IsTheDeviceOfAProvisionedImage) {
  IMPRINT_NEED_FLEET();
  const Source source = best_source();
  IMPRINT_NEED_DEVICE(source);
  const auto [issuer, target] = GetParam();
  Fleet fleet({.issuer = issuer});
  std::vector<fs::path> images;
  for (const Kind& kind : kKinds)
    images.push_back(fleet.provision({.id = kind.id, .key = kind.key, .target = target}));
  fleet.preauthorize();
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<std::string> keys;
  for (const fs::path& image : images) {
    keys.push_back(ImageOracle(image).cat(kData, "/mender/mender-cert-private.pem"));
    devices.push_back(std::make_unique<Device>(image, source));
  }
  for (std::size_t i = 0; i < images.size(); ++i)
    expect_accepted(fleet, kKinds[i], images[i], *devices[i]);

  // The client leaves the identity as it was, and has made no key of its own.
  for (std::size_t i = 0; i < images.size(); ++i) {
    devices[i]->stop();
    const ImageOracle oracle(images[i]);
    EXPECT_EQ(oracle.cat(kData, "/mender/mender-cert-private.pem"), keys[i]);
    EXPECT_FALSE(oracle.exists(kData, "/mender/mender-agent.pem"));
    for (const int partition : {kRootfsA, kData})
      EXPECT_EQ(oracle.complaints(partition), "") << images[i];
  }
}

std::string case_name(const testing::TestParamInfo<Case>& of) {
  return name_of(std::get<0>(of.param)) + "_" + std::get<1>(of.param);
}

INSTANTIATE_TEST_SUITE_P(ByIssuerAndTarget, Accepted,
                         testing::Combine(testing::Values(Issuer::root, Issuer::intermediate),
                                          testing::Values("rootfs", "data", "both")),
                         case_name);

// As tests that are not root run all of the above; root has it tested here.
TEST(Extracted, FilesOfAnImageAreAcceptedAsWell) {
  IMPRINT_NEED_FLEET();
  IMPRINT_NEED_DEVICE(Source::extracted);
  Fleet fleet;
  const fs::path image = fleet.provision({.id = "unit-ec"});
  fleet.preauthorize();
  const Device device(image, Source::extracted);
  expect_accepted(fleet, kKinds[0], image, device);
}

// Client 3.4 takes the key of the connection where it is told of no other: HttpsClient is enough.
TEST(OldClient, IsAcceptedWithoutAKeyForItsRequests) {
  IMPRINT_NEED_FLEET();
  const Source source = best_source();
  IMPRINT_NEED_DEVICE(source);
  Fleet fleet;
  const fs::path image = fleet.provision({.id = "unit-ec"});
  drop_setting(image, "Security");
  fleet.preauthorize();
  const Device device(image, source);
  expect_accepted(fleet, kKinds[0], image, device);
}

}  // namespace
}  // namespace imprint::accept
