// A CA with nameConstraints, made by openssl: what it forbids is found before anything is signed,
// and OpenSSL's verifier agrees.

#include "imprint/crypto/name_constraints.hpp"

#include "imprint/crypto/issue.hpp"
#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;

struct Constrained {
  Certificate certificate;
  std::unique_ptr<Signer> signer;
};

Constrained constrained_ca(const std::string& constraints) {
  const test::TempDir dir;
  const std::string key = dir / "key.pem";
  const std::string pem = test::openssl(
      {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
       key, "-subj", "/CN=Constrained", "-days", "9000", "-addext", "keyUsage=critical,keyCertSign",
       "-addext", "nameConstraints=critical," + constraints});
  const PrivateKey parsed =
      PrivateKey::from_pem(bytes_of(test::openssl({"pkey", "-in", key}))).value();
  return {Certificate::parse(bytes_of(pem)).value(), make_key_signer(parsed).value()};
}

ProfileSpec profile() {
  ProfileSpec spec = test::plain_spec(KeyKind::ec_p256, system_clock().now());
  spec.subject = {{NameField::common_name, std::nullopt}};
  spec.alt_names = {{AltNameKind::dns, std::nullopt}};
  return spec;
}

class NameConstraintsTest : public testing::Test {
 protected:
  /// Both have to say the same: ours for every device, the verifier for a sample.
  void expect(bool allowed, std::vector<std::string_view> slots, const std::string& why = {}) {
    const auto constraints = NameConstraints::of({&ca_.certificate, 1});
    ASSERT_THAT(constraints, IsOk());
    EXPECT_FALSE(constraints->empty());
    const auto checked = constraints->check(spec_, slots, ca_.certificate);
    const auto verified =
        verify_sample(spec_, slots, ca_.certificate, *ca_.signer, Strictness::plain);
    if (allowed) {
      EXPECT_THAT(checked, IsOk());
      EXPECT_THAT(verified, IsOk());
      return;
    }
    EXPECT_THAT(checked, FailsWith(Code::invalid_input,
                                   "the CA 'CN=Constrained' does not allow the names of this "
                                   "device: " +
                                       why +
                                       " (its nameConstraints, RFC 5280 4.2.1.10); change the "
                                       "subject or the SAN, or use another CA"));
    EXPECT_THAT(verified, FailsWith(Code::check_failed, why));
  }

  ProfileSpec spec_ = profile();
  Constrained ca_ = constrained_ca(
      "permitted;DNS:devices.example.com,excluded;DNS:x.devices."
      "example.com");
};

TEST_F(NameConstraintsTest, RefusesNamesOutsideWhatIsPermitted) {
  expect(true, {"unit-1", "unit-1.devices.example.com"});
  expect(false, {"unit-1", "unit-1.example.org"}, "permitted subtree violation");
  expect(false, {"unit-1", "a.x.devices.example.com"}, "excluded subtree violation");
}

TEST_F(NameConstraintsTest, LooksAtTheCommonNameWhereThereIsNoDnsName) {
  spec_.alt_names = {{AltNameKind::uri, "urn:x:1"}};
  expect(true, {"unit-1.devices.example.com"});
  expect(false, {"unit-1.example.org"}, "permitted subtree violation");
  expect(true, {"unit 1"});
}

TEST(NameConstraints, AreNoneInAnOrdinaryCa) {
  const auto ca = test::make_ca(KeyKind::ec_p256);
  const auto constraints = NameConstraints::of({&ca.certificate, 1});
  ASSERT_THAT(constraints, IsOk());
  EXPECT_TRUE(constraints->empty());
  const std::array<std::string_view, 2> slots = {"unit-1", "unit-1.example.org"};
  EXPECT_THAT(constraints->check(profile(), slots, ca.certificate), IsOk());
}

}  // namespace
}  // namespace imprint::crypto
