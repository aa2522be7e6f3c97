// Every kind of device key, below every kind of CA, after every profile: accepted by openssl's
// strict verifier, by GnuTLS, and by nginx and openssl as TLS servers that ask for a client
// certificate.
//
// One test for all, since what takes time is making the RSA keys: a test of its own for each
// certificate would make them again.

#include <map>

#include <fmt/format.h>

#include "imprint/crypto/issue.hpp"
#include "oracles.hpp"
#include "support/tls_server.hpp"

namespace imprint::crypto {
namespace {

using imprint::test::TlsJudge;
using imprint::test::TlsServer;
using test::IsOk;

constexpr std::array kKinds = {KeyKind::ec_p256,  KeyKind::ec_p384,  KeyKind::ec_p521,
                               KeyKind::rsa_2048, KeyKind::rsa_3072, KeyKind::rsa_4096,
                               KeyKind::ed25519};
constexpr std::array<std::string_view, 3> kProfiles = {"mender", "idevid", "subjectless"};

struct Device {
  std::string name;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
};

ProfileSpec spec_of(std::string_view profile, KeyKind key) {
  ProfileSpec spec = test::plain_spec(key, test::an_hour_ago());
  if (profile == "idevid") {
    spec.subject = {{NameField::common_name, "unit-1"}, {NameField::serial_number, "SN-1"}};
    spec.alt_names = {{AltNameKind::hardware_module, "SN-1", "1.3.6.1.4.1.99999.1"}};
    spec.key_usage = {KeyUsage::digital_signature};
    spec.extended_key_usage.clear();
    spec.subject_key_identifier = false;
    spec.not_after = kNoExpiry;
    return spec;
  }
  spec.alt_names[0].constant = "unit-1.example.com";
  spec.subject[0].constant = "unit-1";
  if (profile == "subjectless") spec.subject.clear();
  return spec;
}

class Accepted : public testing::Test {
 protected:
  /// A key of each kind, made once.
  const PrivateKey& key(KeyKind kind) {
    auto& made = keys_[kind];
    if (!made) made = std::make_unique<PrivateKey>(PrivateKey::generate(kind).value());
    return *made;
  }

  void make_devices(KeyKind ca_kind) {
    const CaSpec ca_spec{.subject = {{NameField::common_name, fmt::format("CA {}", name(ca_kind))}},
                         .not_before = test::an_hour_ago(),
                         .not_after = test::an_hour_ago() + 7300 * test::kDay,
                         .path_length = 0};
    const PrivateKey& ca_key = key(ca_kind);
    const Certificate ca = make_ca_certificate(ca_spec, ca_key).value();
    const auto signer = make_key_signer(ca_key).value();
    bundle_ += ca.to_pem();
    const std::string ca_file = dir_.write(fmt::format("ca{}.pem", devices_.size()), ca.to_pem());
    for (const KeyKind kind : kKinds) {
      for (const std::string_view profile : kProfiles)
        make_device(ca, *signer, ca_file, kind, profile);
    }
    if (ca_kind == KeyKind::ec_p256) make_server(ca, *signer);
  }

  void make_device(const Certificate& ca, Signer& signer, const std::string& ca_file, KeyKind kind,
                   std::string_view profile) {
    const PublicKey public_key = PublicKey::of(key(kind)).value();
    const auto made = issue_certificate(spec_of(profile, kind), {}, public_key, ca, signer);
    ASSERT_THAT(made, IsOk());
    const std::string stem = std::to_string(devices_.size());
    devices_.push_back({fmt::format("{} {} by {}", profile, name(kind), ca.common_name()), ca_file,
                        dir_.write(stem + ".crt", made->to_pem()),
                        dir_.write(stem + ".key", test::text(key(kind).to_pem().value()))});
  }

  void make_server(const Certificate& ca, Signer& signer) {
    ProfileSpec spec = test::plain_spec(KeyKind::ec_p256, test::an_hour_ago());
    spec.subject = {{NameField::common_name, "localhost"}};
    spec.alt_names = {{AltNameKind::dns, "localhost"}};
    spec.extended_key_usage = {"serverAuth"};
    const PublicKey public_key = PublicKey::of(key(KeyKind::ec_p256)).value();
    const auto made = issue_certificate(spec, {}, public_key, ca, signer);
    ASSERT_THAT(made, IsOk());
    dir_.write("server.crt", made->to_pem());
    dir_.write("server.key", test::text(key(KeyKind::ec_p256).to_pem().value()));
    dir_.write("server-ca.pem", ca.to_pem());
  }

  void expect_verified(const Device& device) const {
    test::openssl({"verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", device.ca_file,
                   device.certificate_file});
    if (!imprint::test::has_command("certtool")) return;
    const auto judged = test::run_command({"certtool", "--verify", "--load-ca-certificate",
                                           device.ca_file, "--verify-purpose", "1.3.6.1.5.5.7.3.2",
                                           "--infile", device.certificate_file});
    EXPECT_NE(judged.out.find("Output: Verified."), std::string::npos) << judged.out << judged.err;
  }

  void expect_let_in(TlsJudge judge) {
    if (!imprint::test::has_command(program(judge))) return;
    const TlsServer server(judge, {.certificate = dir_ / "server.crt",
                                   .key = dir_ / "server.key",
                                   .client_ca = dir_.write("clients.pem", bundle_)});
    for (const Device& device : devices_) {
      SCOPED_TRACE(fmt::format("{} before {}", device.name, program(judge)));
      const auto answer = ask(server, {.certificate = device.certificate_file,
                                       .key = device.key_file,
                                       .server_ca = dir_ / "server-ca.pem"});
      EXPECT_TRUE(answer.accepted) << answer.said << server.log();
    }
  }

  test::TempDir dir_;
  std::map<KeyKind, std::unique_ptr<PrivateKey>> keys_;
  std::vector<Device> devices_;
  std::string bundle_;
};

TEST_F(Accepted, ByEveryVerifierAndServer) {
  IMPRINT_NEED_COMMAND("curl");
  IMPRINT_NEED_COMMAND("nginx");
  IMPRINT_NEED_COMMAND("certtool");
  for (const KeyKind ca_kind : kKinds)
    make_devices(ca_kind);
  ASSERT_EQ(devices_.size(), kKinds.size() * kKinds.size() * kProfiles.size());
  for (const Device& device : devices_) {
    SCOPED_TRACE(device.name);
    expect_verified(device);
  }
  expect_let_in(TlsJudge::openssl);
  expect_let_in(TlsJudge::nginx);
}

}  // namespace
}  // namespace imprint::crypto
