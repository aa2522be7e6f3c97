// What a profile may not say, each refusal with its rule.

#include "spec.hpp"

#include <functional>

#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;

struct Refusal {
  std::string_view name;
  std::function<void(ProfileSpec&)> spoil;
  std::string message;
};

const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> rows = {
      {"NoSubjectAndNoNames",
       [](ProfileSpec& spec) {
         spec.subject.clear();
         spec.alt_names.clear();
       },
       "the subject of a device certificate is empty; give at least a CN, or names in the SAN (RFC "
       "5280 4.1.2.6)"},
      {"NoSubjectAndOnlyAHardwareModule",
       [](ProfileSpec& spec) {
         spec.subject.clear();
         spec.alt_names = {{AltNameKind::hardware_module, "SN1", "1.3.6.1.4.1.99999.1"}};
       },
       "without a subject the SAN is critical (RFC 5280 4.2.1.6), and servers written in Go refuse "
       "a critical SAN that holds nothing but a hardwareModuleName; give a subject, or a DNS or "
       "URI name too"},
      {"NeverValid", [](ProfileSpec& spec) { spec.not_after = spec.not_before; },
       "2026-11-20T12:00:00Z is never valid"},
      {"ConstantOfTheSubject", [](ProfileSpec& spec) { spec.subject[1].constant = "two\nlines"; },
       "O holds"},
      {"ConstantOfTheSan",
       [](ProfileSpec& spec) {
         spec.alt_names.push_back({AltNameKind::dns, "a,DNS:evil.com"});
       },
       "is no DNS name"},
      {"HardwareTypeMissing",
       [](ProfileSpec& spec) {
         spec.alt_names.push_back({AltNameKind::hardware_module, std::nullopt});
       },
       "hardware type: '' is no object identifier"},
      {"HardwareSerialEmpty",
       [](ProfileSpec& spec) {
         spec.alt_names.push_back({AltNameKind::hardware_module, "", "1.2.3"});
       },
       "a hardwareModuleName needs a serial number (RFC 4108)"},
      {"KeyUsageTwice",
       [](ProfileSpec& spec) {
         spec.key_usage = {KeyUsage::digital_signature, KeyUsage::digital_signature};
       },
       "key usage 'digitalSignature' stands twice"},
      {"KeyEnciphermentOfEc",
       [](ProfileSpec& spec) {
         spec.key_usage = {KeyUsage::digital_signature, KeyUsage::key_encipherment};
       },
       "key usage 'keyEncipherment' is for RSA; a key of kind ec:P-256 cannot encipher"},
      {"KeyEnciphermentOfEd25519",
       [](ProfileSpec& spec) {
         spec.key = KeyKind::ed25519;
         spec.key_usage = {KeyUsage::digital_signature, KeyUsage::key_encipherment};
       },
       "key usage 'keyEncipherment' is for RSA; a key of kind ed25519 cannot encipher"},
      {"DataEnciphermentOfEc",
       [](ProfileSpec& spec) { spec.key_usage = {KeyUsage::data_encipherment}; },
       "key usage 'dataEncipherment' is for RSA"},
      {"KeyAgreementOfRsa",
       [](ProfileSpec& spec) {
         spec.key = KeyKind::rsa_2048;
         spec.key_usage = {KeyUsage::key_agreement};
       },
       "key usage 'keyAgreement' is for Diffie-Hellman; a key of kind rsa:2048 has none"},
      {"KeyAgreementOfEd25519",
       [](ProfileSpec& spec) {
         spec.key = KeyKind::ed25519;
         spec.key_usage = {KeyUsage::key_agreement};
       },
       "a key of kind ed25519 has none"},
      {"PurposeUnknown", [](ProfileSpec& spec) { spec.extended_key_usage = {"clientAut"}; },
       "'clientAut' is no extended key usage; did you mean 'clientAuth'?"},
      {"PurposeTwice",
       [](ProfileSpec& spec) {
         spec.extended_key_usage = {"clientAuth", "1.3.6.1.5.5.7.3.2"};
       },
       "extended key usage 'clientAuth' stands twice"},
      {"PolicyMalformed", [](ProfileSpec& spec) { spec.policies = {"anyPolicy"}; },
       "policy: 'anyPolicy' is no object identifier"},
      {"PolicyTwice",
       [](ProfileSpec& spec) {
         spec.policies = {"1.2.3", "1.2.3"};
       },
       "policy '1.2.3' stands twice (RFC 5280 4.2.1.4)"},
  };
  return rows;
}

class RefusedSpec : public testing::TestWithParam<std::size_t> {};

TEST_P(RefusedSpec, SaysTheRule) {
  static const auto ca = test::make_ca(KeyKind::ed25519);
  const Refusal& row = refusals()[GetParam()];
  ProfileSpec spec = test::plain_spec();
  row.spoil(spec);
  EXPECT_THAT(Profile::compile(spec, ca.certificate, ca.signer->algorithm()),
              FailsWith(Code::invalid_input, row.message));
}

INSTANTIATE_TEST_SUITE_P(Rows, RefusedSpec, testing::Range<std::size_t>(0, refusals().size()),
                         [](const auto& row) { return std::string(refusals()[row.param].name); });

TEST(Spec, DescribesItsExtensions) {
  ProfileSpec spec = test::plain_spec(KeyKind::rsa_2048);
  EXPECT_EQ(describe_extensions(spec),
            (std::vector<std::string>{"basicConstraints (critical): no CA",
                                      "keyUsage (critical): digitalSignature, keyEncipherment",
                                      "extendedKeyUsage: clientAuth", "subjectKeyIdentifier",
                                      "authorityKeyIdentifier", "subjectAltName: DNS"}));
  spec.subject.clear();
  spec.alt_names.push_back({AltNameKind::hardware_module, std::nullopt, "1.2.3"});
  spec.key_usage.emplace();
  spec.extended_key_usage = {"1.3.6.1.5.5.7.3.1", "1.2.3.4"};
  spec.policies = {"1.2.3", "2.23.133.11.1.1"};
  spec.basic_constraints = spec.subject_key_identifier = spec.authority_key_identifier = false;
  EXPECT_EQ(describe_extensions(spec),
            (std::vector<std::string>{"extendedKeyUsage: serverAuth, 1.2.3.4",
                                      "certificatePolicies: 1.2.3, 2.23.133.11.1.1",
                                      "subjectAltName (critical): DNS, hardwareModuleName"}));
}

}  // namespace
}  // namespace imprint::crypto
