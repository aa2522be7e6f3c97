#include "imprint/crypto/issue.hpp"

#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;
using test::kDay;
using test::kNow;
using test::make_ca;
using test::openssl;
using test::plain_spec;
using test::TempDir;
using test::TestCa;

constexpr std::array<std::string_view, 2> kSlots = {"unit-1.example.com", "unit-1.example.com"};

class IssuedFor : public testing::TestWithParam<std::tuple<KeyKind, KeyKind>> {};

TEST_P(IssuedFor, VerifiesStrictly) {
  const auto [ca_kind, kind] = GetParam();
  const TestCa ca = make_ca(ca_kind);
  const PrivateKey key = PrivateKey::generate(kind).value();
  const auto certificate = issue_certificate(plain_spec(kind), kSlots, PublicKey::of(key).value(),
                                             ca.certificate, *ca.signer);
  ASSERT_THAT(certificate, IsOk());
  EXPECT_TRUE(belongs_together(key, *certificate));
  EXPECT_TRUE(is_issued_by(*certificate, ca.certificate));
  const TempDir dir;
  openssl({"verify", "-x509_strict", "-purpose", "sslclient", "-attime",
           std::to_string((kNow + kDay).time_since_epoch().count()), "-CAfile",
           dir.write("ca.pem", ca.certificate.to_pem()),
           dir.write("leaf.pem", certificate->to_pem())});
}

TEST_P(IssuedFor, ThePublicKeysPemIsOpenssls) {
  const PrivateKey key = PrivateKey::generate(std::get<1>(GetParam())).value();
  const TempDir dir;
  EXPECT_EQ(public_key_pem(key.public_key_der().value()),
            openssl({"pkey", "-pubout", "-in",
                     dir.write("key.pem", text_of(key.to_pem().value().view()))}));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, IssuedFor,
    testing::Combine(testing::Values(KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::ec_p521,
                                     KeyKind::rsa_2048, KeyKind::ed25519),
                     testing::Values(KeyKind::ec_p256, KeyKind::rsa_2048, KeyKind::ed25519)));

TEST(Issue, ChecksTheSlotsValues) {
  const TestCa ca = make_ca(KeyKind::ec_p256);
  const PublicKey key = PublicKey::of(PrivateKey::generate(KeyKind::ec_p256).value()).value();
  const auto issue = [&](std::string_view cn, std::string_view dns) {
    const std::array<std::string_view, 2> slots = {cn, dns};
    return issue_certificate(plain_spec(), slots, key, ca.certificate, *ca.signer);
  };
  EXPECT_THAT(issue("", "a.example"), FailsWith(Code::invalid_input, "CN is empty"));
  EXPECT_THAT(issue("a\nb", "a.example"), FailsWith(Code::invalid_input, "CN holds"));
  EXPECT_THAT(issue("a", "b_c.example"),
              FailsWith(Code::invalid_input, "'b_c.example' is no DNS name"));
  EXPECT_THAT(issue_certificate(plain_spec(), {}, key, ca.certificate, *ca.signer),
              FailsWith(Code::internal, "too few values for the profile"));
  EXPECT_THAT(
      issue_certificate(plain_spec(KeyKind::ed25519), kSlots, key, ca.certificate, *ca.signer),
      FailsWith(Code::internal, "a profile for ed25519 and a key of kind ec:P-256"));
}

TEST(Issue, KnowsWhoIssuedWhat) {
  const TestCa one = make_ca(KeyKind::ec_p256);
  const TestCa other = make_ca(KeyKind::ec_p256);  // of the same name
  EXPECT_TRUE(is_issued_by(one.certificate, one.certificate));
  EXPECT_FALSE(is_issued_by(one.certificate, other.certificate));
}

TEST(Issue, MessagesAreSignedAndVerified) {
  for (const KeyKind kind :
       {KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::rsa_2048, KeyKind::ed25519}) {
    const TestCa ca = make_ca(kind);
    const auto signature = sign_message(*ca.signer, bytes_of("message"));
    ASSERT_THAT(signature, IsOk());
    const SignatureAlgorithm algorithm = ca.signer->algorithm();
    EXPECT_EQ(signature_algorithm_of(ca.certificate).value(), algorithm);
    EXPECT_LE(signature->size(), max_signature_bytes(ca.certificate));
    EXPECT_TRUE(verify_signature(ca.certificate, algorithm, bytes_of("message"), *signature));
    EXPECT_FALSE(verify_signature(ca.certificate, algorithm, bytes_of("massage"), *signature));
    EXPECT_FALSE(verify_signature(ca.certificate, algorithm, bytes_of("message"), {}));
  }
}

}  // namespace
}  // namespace imprint::crypto
