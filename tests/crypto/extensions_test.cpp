// Every field of a profile as other programs read it back out of a minted certificate.

#include <gmock/gmock.h>

#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::IsOk;
using test::openssl;
using testing::HasSubstr;
using testing::Not;

/// PEM of one device's certificate after this profile.
std::string minted(const ProfileSpec& spec, const std::vector<std::string_view>& slots) {
  static const test::TestCa ca = test::make_ca(KeyKind::ec_p256);
  const auto profile = Profile::compile(spec, ca.certificate, ca.signer->algorithm());
  EXPECT_THAT(profile, IsOk());
  auto minter = Minter::create(*profile, ca.certificate, *ca.signer);
  EXPECT_THAT(minter, IsOk());
  Identity identity;
  EXPECT_THAT(minter->mint(slots, identity), IsOk());
  return identity.certificate_pem;
}

std::string text_of_certificate(const std::string& pem) {
  return openssl({"x509", "-noout", "-text", "-certopt", "no_pubkey,no_sigdump"}, pem);
}

ProfileSpec one_name() {
  ProfileSpec spec = test::plain_spec();
  spec.subject = {{NameField::common_name, std::nullopt}};
  spec.alt_names.clear();
  return spec;
}

TEST(Extensions, StandInTheOrderThatTheHeaderPromises) {
  ProfileSpec spec = test::plain_spec();
  spec.policies = {"1.3.6.1.4.1.99999.7"};
  const std::string structure = openssl({"asn1parse"}, minted(spec, {"unit-1", "unit-1.example"}));
  std::size_t at = 0;
  for (const std::string_view name :
       {"X509v3 Basic Constraints", "X509v3 Key Usage", "X509v3 Extended Key Usage",
        "X509v3 Certificate Policies", "X509v3 Subject Key Identifier",
        "X509v3 Authority Key Identifier", "X509v3 Subject Alternative Name"}) {
    const std::size_t found = structure.find(name, at);
    ASSERT_NE(found, std::string::npos) << name << "\n" << structure;
    at = found;
  }
}

TEST(Extensions, AreAbsentWhenSwitchedOff) {
  ProfileSpec spec = one_name();
  spec.subject_key_identifier = false;
  spec.authority_key_identifier = false;
  spec.basic_constraints = false;
  spec.extended_key_usage.clear();
  const std::string shown = text_of_certificate(minted(spec, {"unit-1"}));
  EXPECT_THAT(shown, HasSubstr("X509v3 Key Usage: critical\n                Digital Signature\n"));
  for (const char* name : {"Basic Constraints", "Extended", "Key Identifier", "Policies"})
    EXPECT_THAT(shown, Not(HasSubstr(name)));
}

TEST(Extensions, MayAllBeAbsent) {
  ProfileSpec spec = one_name();
  spec.subject_key_identifier = spec.authority_key_identifier = spec.basic_constraints = false;
  spec.extended_key_usage.clear();
  spec.key_usage.emplace();
  const std::string pem = minted(spec, {"unit-1"});
  EXPECT_THAT(text_of_certificate(pem), Not(HasSubstr("X509v3")));
  EXPECT_THAT(text_of_certificate(pem), HasSubstr("Version: 3"));
}

TEST(Extensions, HoldTheKeyUsagesGiven) {
  ProfileSpec spec = one_name();
  spec.key_usage = {KeyUsage::key_agreement, KeyUsage::digital_signature,
                    KeyUsage::content_commitment};
  EXPECT_THAT(text_of_certificate(minted(spec, {"unit-1"})),
              HasSubstr("X509v3 Key Usage: critical\n                Digital Signature, Non "
                        "Repudiation, Key Agreement\n"));
  spec.key = KeyKind::rsa_2048;
  spec.key_usage = {KeyUsage::digital_signature, KeyUsage::data_encipherment};
  EXPECT_THAT(text_of_certificate(minted(spec, {"unit-1"})),
              HasSubstr("Digital Signature, Data Encipherment\n"));
}

TEST(Extensions, HoldPurposesAndPoliciesByWordAndByIdentifier) {
  ProfileSpec spec = one_name();
  spec.extended_key_usage = {"clientAuth", "serverAuth",  "codeSigning",
                             "ipsecIKE",   "OCSPSigning", "1.3.6.1.4.1.99999.5"};
  spec.policies = {"1.3.6.1.4.1.99999.7", "2.23.133.11.1.1"};
  const std::string shown = text_of_certificate(minted(spec, {"unit-1"}));
  EXPECT_THAT(shown, HasSubstr("X509v3 Extended Key Usage: \n                TLS Web Client "
                               "Authentication, TLS Web Server Authentication, Code Signing, "
                               "ipsec Internet Key Exchange, OCSP Signing, 1.3.6.1.4.1.99999.5\n"));
  EXPECT_THAT(shown, HasSubstr("X509v3 Certificate Policies: \n                Policy: "
                               "1.3.6.1.4.1.99999.7\n                Policy: 2.23.133.11.1.1\n"));
}

TEST(Extensions, NameAHardwareModuleAsRfc4108Says) {
  ProfileSpec spec = one_name();
  spec.subject.push_back({NameField::serial_number, std::nullopt});
  spec.alt_names = {{AltNameKind::hardware_module, std::nullopt, "2.23.133.1.2"},
                    {AltNameKind::uri, "urn:x:1"}};
  const std::string pem = minted(spec, {"unit-1", "SN-1", "SN-1"});
  EXPECT_THAT(text_of_certificate(pem),
              HasSubstr("X509v3 Subject Alternative Name: \n                othername: "
                        "1.3.6.1.5.5.7.8.4::<unsupported>, URI:urn:x:1\n"));
  // The extension's content is the last OCTET STRING of the certificate.
  EXPECT_THAT(openssl({"asn1parse"}, pem),
              HasSubstr("[HEX DUMP]:3026"           // SEQUENCE
                        "A01B06082B06010505070804"  // [0] { id-on-hardwareModuleName,
                        "A00F300D"                  //   [0] { SEQUENCE {
                        "0605678105010204"          //     hwType 2.23.133.1.2, hwSerialNum
                        "04534E2D31"                //     "SN-1" } } }
                        "860775726E3A783A31"));     // URI
}

// Without a subject the SAN has to be critical; with one it must not be (RFC 5280 4.2.1.6).
TEST(Extensions, MakeTheSanCriticalWithoutASubject) {
  ProfileSpec spec = test::plain_spec();
  spec.subject.clear();
  const std::string pem = minted(spec, {"unit-1.example"});
  const std::string shown = text_of_certificate(pem);
  EXPECT_THAT(shown, HasSubstr("Subject: \n"));
  EXPECT_THAT(shown, HasSubstr("X509v3 Subject Alternative Name: critical\n                "
                               "DNS:unit-1.example\n"));
  EXPECT_THAT(text_of_certificate(minted(test::plain_spec(), {"unit-1", "unit-1.example"})),
              HasSubstr("X509v3 Subject Alternative Name: \n"));
}

}  // namespace
}  // namespace imprint::crypto
