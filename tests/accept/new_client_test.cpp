// The rule of Mender clients from 4.0 on: requests are signed with Security.AuthPrivateKey alone,
// and of the certificate file only the first certificate is sent.

#include "accept/new_client.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "accept/fleet.hpp"
#include "support/image_oracle.hpp"
#include "support/in_memory.hpp"

namespace imprint::accept {
namespace {

namespace fs = std::filesystem;

using imprint::cli::test::kRootfsA;
using imprint::test::ImageOracle;
using imprint::test::slurp;
using testing::HasSubstr;

IMPRINT_TEMPORARIES_IN_MEMORY();

using Case = std::tuple<Issuer, std::string, std::string>;

class NewClient : public testing::TestWithParam<Case> {};

TEST_P(NewClient, IsAcceptedWithTheFilesOfItsImage) {
  IMPRINT_NEED_FLEET();
  const auto [issuer, key, target] = GetParam();
  Fleet fleet({.issuer = issuer});
  const fs::path image = fleet.provision({.id = "unit", .key = key, .target = target});
  fleet.preauthorize();
  const Authorization answer = authorize_as_new_client(image);
  EXPECT_EQ(answer.status, 200) << answer.said << fleet.edge().log();
  EXPECT_EQ(answer.work, 204) << answer.said;
  EXPECT_FALSE(answer.generated);
  const auto accepted = fleet.server().authorizations("unit", 200);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted.front().serial, serial_on(image));
}

std::string case_name(const testing::TestParamInfo<Case>& of) {
  const auto& [issuer, key, target] = of.param;
  std::string text = fmt::format("{}_{}_{}", name_of(issuer), key, target);
  std::erase_if(text, [](char c) { return c == ':' || c == '-'; });
  return text;
}

INSTANTIATE_TEST_SUITE_P(Kinds, NewClient,
                         testing::Combine(testing::Values(Issuer::root, Issuer::intermediate),
                                          testing::Values("ec:P-256", "rsa:2048", "ed25519"),
                                          testing::Values("rootfs")),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Targets, NewClient,
                         testing::Combine(testing::Values(Issuer::intermediate),
                                          testing::Values("ec:P-256"),
                                          testing::Values("data", "both")),
                         case_name);

class NewClientRefused : public testing::TestWithParam<Issuer> {};

TEST_P(NewClientRefused, WithoutAKeyForItsRequests) {
  IMPRINT_NEED_FLEET();
  Fleet fleet({.issuer = GetParam()});
  const fs::path image = fleet.provision({.id = "unit"});
  fleet.preauthorize();
  EXPECT_EQ(authorize_as_new_client(image).status, 200);
  drop_setting(image, "Security");
  for (const char* generation : {"4", "5"}) {
    const Authorization answer = authorize_as_new_client(image, {"--generation", generation});
    EXPECT_EQ(answer.status, 401);
    EXPECT_TRUE(answer.generated);
    EXPECT_THAT(answer.said, HasSubstr("the request's public key is not that of the client "
                                       "certificate"));
  }
}

INSTANTIATE_TEST_SUITE_P(ByIssuer, NewClientRefused,
                         testing::Values(Issuer::root, Issuer::intermediate),
                         [](const testing::TestParamInfo<Issuer>& of) {
                           return name_of(of.param);
                         });

// Why the bundle's ca.crt holds the intermediate: an edge that knows the root alone lets in old
// clients, which send what stands behind their certificate, and no new one.
TEST(NewClientSends, ItsOwnCertificateAlone) {
  IMPRINT_NEED_FLEET();
  Fleet fleet({.issuer = Issuer::intermediate});
  const fs::path image = fleet.provision({.id = "unit"});
  fleet.preauthorize();
  const std::string leaf = ImageOracle(image).cat(cli::test::kData, "/mender/mender-cert.pem");
  replace_file(image, "/data/mender/mender-cert.pem", leaf + slurp("line/ca-cert.pem"), "0644");
  EXPECT_EQ(authorize_as_new_client(image).status, 200);
  fs::copy_file("root/ca-cert.pem", "edge/ca.crt", fs::copy_options::overwrite_existing);
  fleet.edge().reload();
  const Authorization alone = authorize_as_new_client(image);
  EXPECT_EQ(alone.status, 400) << alone.said;
  EXPECT_THAT(alone.said, HasSubstr("The SSL certificate error"));
  EXPECT_EQ(authorize_as_new_client(image, {"--whole-chain"}).status, 200);
}

}  // namespace
}  // namespace imprint::accept
