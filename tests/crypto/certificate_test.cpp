#include "imprint/crypto/certificate.hpp"

#include "imprint/base/text.hpp"
#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;
using test::kDay;
using test::kNow;
using test::make_ca;
using test::openssl;
using test::run_command;
using test::TempDir;

/// Self-signed by the openssl program, with these extensions (`openssl req -addext`).
std::string made_by_openssl(const std::vector<std::string>& extensions,
                            const std::string& subject = "/CN=Foreign") {
  const TempDir dir;
  std::vector<std::string> arguments = {
      "req",
      "-x509",
      "-newkey",
      "ed25519",
      "-nodes",
      "-keyout",
      dir / "key",
      "-config",
      dir.write("config", "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=x\n"),
      "-utf8",
      "-subj",
      subject,
      "-days",
      "30"};
  for (const std::string& extension : extensions) {
    arguments.emplace_back("-addext");
    arguments.push_back(extension);
  }
  return openssl(arguments);
}

Certificate parse(std::string_view pem) {
  return Certificate::parse(bytes_of(pem)).value();
}

TEST(Certificate, SaysWhatOpensslSays) {
  const Certificate ca = make_ca(KeyKind::ec_p256).certificate;
  const std::string pem = ca.to_pem();
  EXPECT_EQ(openssl({"x509"}, pem), pem);
  EXPECT_EQ(openssl({"x509", "-outform", "DER"}, pem), text_of(ca.der()));
  EXPECT_EQ(imprint::to_lower_ascii(openssl({"x509", "-noout", "-serial"}, pem)),
            "serial=" + ca.serial_hex() + "\n");
  EXPECT_EQ(openssl({"x509", "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb,utf8"}, pem),
            "subject=" + ca.subject_text() + "\n");
  EXPECT_EQ(ca.subject_text(), "C=NO,O=Pr\xc3\xb8ve AS,CN=Test Device CA");
  EXPECT_EQ(ca.issuer_text(), ca.subject_text());
  EXPECT_EQ(ca.common_name(), "Test Device CA");
  EXPECT_EQ(openssl({"x509", "-noout", "-dates", "-dateopt", "iso_8601"}, pem),
            "notBefore=2026-11-20 12:00:00Z\nnotAfter=2046-11-15 12:00:00Z\n");
  EXPECT_EQ(ca.not_before(), kNow);
  EXPECT_EQ(ca.not_after(), kNow + 7300 * kDay);
  EXPECT_EQ(openssl({"pkey", "-pubin", "-pubout", "-outform", "DER"},
                    openssl({"x509", "-noout", "-pubkey"}, pem)),
            text_of(ca.public_key_der()));
  EXPECT_EQ(ca.key_kind(), KeyKind::ec_p256);
  EXPECT_EQ(ca.version(), 3);
  EXPECT_EQ(ca.signature_algorithm(), "ecdsa-with-SHA256");
  EXPECT_FALSE(ca.has_weak_signature());
}

TEST(Certificate, HasTheFingerprintOfItsDer) {
  const Certificate ca = make_ca(KeyKind::ed25519).certificate;
  std::string expected = openssl({"x509", "-noout", "-fingerprint", "-sha256"}, ca.to_pem());
  std::erase(expected, ':');
  EXPECT_EQ(imprint::to_lower_ascii(expected),
            "sha256 fingerprint=" + to_hex(ca.fingerprint()) + "\n");
}

TEST(Certificate, IsParsedFromPemWithTextAroundAndFromDer) {
  const Certificate ca = make_ca(KeyKind::ed25519).certificate;
  EXPECT_EQ(parse("0 is the first digit\n" + ca.to_pem() + "after").der(), ca.der());
  const auto from_der = Certificate::parse(ca.der());
  ASSERT_THAT(from_der, IsOk());
  EXPECT_EQ(from_der->der(), ca.der());
}

TEST(Certificate, IsParsedFromALongText) {
  const Certificate one = make_ca(KeyKind::ed25519).certificate;
  const Certificate two = make_ca(KeyKind::ed25519).certificate;
  const std::string key = openssl({"genpkey", "-algorithm", "ed25519"});
  const auto all = Certificate::parse_all(bytes_of(one.to_pem() + key + "text\n" + two.to_pem()));
  ASSERT_THAT(all, IsOk());
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].der(), one.der());
  EXPECT_EQ((*all)[1].der(), two.der());
  EXPECT_EQ(parse(key + two.to_pem()).der(), two.der());
}

TEST(Certificate, RefusesWhatIsNone) {
  EXPECT_THAT(Certificate::parse({}), FailsWith(Code::invalid_input, "empty, not a certificate"));
  EXPECT_THAT(Certificate::parse(bytes_of("hello")),
              FailsWith(Code::invalid_input, "holds no certificate in PEM form"));
  EXPECT_THAT(Certificate::parse(bytes_of(openssl({"genpkey", "-algorithm", "ed25519"}))),
              FailsWith(Code::invalid_input, "holds no certificate"));
  EXPECT_THAT(Certificate::parse_all(bytes_of("")),
              FailsWith(Code::invalid_input, "holds no certificate"));
  Bytes der = make_ca(KeyKind::ed25519).certificate.der();
  EXPECT_THAT(Certificate::parse(ByteView(der).first(der.size() - 1)),
              FailsWith(Code::corrupt, "damaged certificate"));
  der.push_back(std::byte{0});
  EXPECT_THAT(Certificate::parse(der), FailsWith(Code::corrupt, "more bytes follow it"));
  EXPECT_THAT(Certificate::parse(
                  bytes_of("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")),
              FailsWith(Code::corrupt, "damaged certificate"));
}

TEST(Certificate, KnowsACa) {
  const Certificate ca = parse(made_by_openssl(
      {"basicConstraints=critical,CA:TRUE,pathlen:2", "keyUsage=critical,keyCertSign"}));
  EXPECT_TRUE(ca.is_ca());
  EXPECT_TRUE(ca.has_basic_constraints());
  EXPECT_TRUE(ca.is_self_signed());
  EXPECT_TRUE(ca.may_sign_certificates());
  EXPECT_EQ(ca.path_length(), 2);
  EXPECT_EQ(ca.key_kind(), KeyKind::ed25519);
}

TEST(Certificate, KnowsWhatIsNoCa) {
  const Certificate no =
      parse(made_by_openssl({"basicConstraints=CA:FALSE", "keyUsage=digitalSignature"}));
  EXPECT_FALSE(no.is_ca());
  EXPECT_TRUE(no.has_basic_constraints());
  EXPECT_FALSE(no.may_sign_certificates());
  EXPECT_EQ(no.path_length(), std::nullopt);
  const Certificate silent = parse(made_by_openssl({"extendedKeyUsage=clientAuth"}));
  EXPECT_FALSE(silent.is_ca());
  EXPECT_FALSE(silent.has_basic_constraints());
  EXPECT_TRUE(silent.may_sign_certificates()) << "no keyUsage forbids nothing";
  const Certificate v1 = parse(made_by_openssl({}));
  EXPECT_EQ(v1.version(), 1);
  EXPECT_FALSE(v1.is_ca());
}

TEST(Certificate, TellsAWeakSignature) {
  const TempDir dir;
  const std::string pem = openssl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                                   dir / "key", "-subj", "/CN=Old", "-sha1"});
  const Certificate old = parse(pem);
  EXPECT_TRUE(old.has_weak_signature());
  EXPECT_EQ(old.signature_algorithm(), "sha1WithRSAEncryption");
}

TEST(Certificate, ShowsNoLineFeedOfItsSubject) {
  const Certificate odd = parse(made_by_openssl({}, "/CN=two\nlines"));
  EXPECT_EQ(odd.subject_text().find('\n'), std::string::npos);
}

TEST(BelongsTogether, TellsAnotherKey) {
  for (const KeyKind kind :
       {KeyKind::ec_p256, KeyKind::ec_p521, KeyKind::rsa_2048, KeyKind::ed25519}) {
    const auto ca = make_ca(kind);
    EXPECT_TRUE(belongs_together(ca.key, ca.certificate)) << name(kind);
    EXPECT_FALSE(belongs_together(PrivateKey::generate(kind).value(), ca.certificate));
    EXPECT_FALSE(belongs_together(PrivateKey::generate(KeyKind::ec_p384).value(), ca.certificate));
  }
}

class CaKinds : public testing::TestWithParam<KeyKind> {};

TEST_P(CaKinds, MakeARootThatStrictVerifiersTake) {
  const Certificate ca = make_ca(GetParam(), test::an_hour_ago()).certificate;
  const TempDir dir;
  const std::string file = dir.write("ca.pem", ca.to_pem());
  openssl({"verify", "-x509_strict", "-check_ss_sig", "-CAfile", file, file});
  const std::string shown = openssl({"x509", "-noout", "-text"}, ca.to_pem());
  EXPECT_NE(shown.find("X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0"),
            std::string::npos)
      << shown;
  EXPECT_NE(shown.find("X509v3 Key Usage: critical\n                Digital Signature, Certificate "
                       "Sign, CRL Sign"),
            std::string::npos);
  EXPECT_NE(shown.find("X509v3 Subject Key Identifier"), std::string::npos);
  EXPECT_NE(shown.find("X509v3 Authority Key Identifier"), std::string::npos);
  EXPECT_NE(shown.find("Version: 3 (0x2)"), std::string::npos);
  if (imprint::test::has_command("certtool")) {
    const auto judged = run_command({"certtool", "--verify-chain", "--infile", file});
    EXPECT_NE(judged.out.find("Output: Verified."), std::string::npos) << judged.out << judged.err;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CaKinds,
                         testing::Values(KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::ec_p521,
                                         KeyKind::rsa_2048, KeyKind::ed25519));

TEST(CaCertificate, RefusesABadRequest) {
  const PrivateKey key = PrivateKey::generate(KeyKind::ed25519).value();
  CaSpec spec{
      .subject = {}, .not_before = kNow, .not_after = kNow + kDay, .path_length = std::nullopt};
  EXPECT_THAT(make_ca_certificate(spec, key),
              FailsWith(Code::invalid_input, "a CA needs a subject"));
  spec.subject = {{NameField::common_name, std::string(65, 'a')}};
  EXPECT_THAT(make_ca_certificate(spec, key), FailsWith(Code::invalid_input, "65 characters"));
  spec.subject = {{NameField::common_name, "CA"}};
  spec.not_after = spec.not_before;
  EXPECT_THAT(make_ca_certificate(spec, key),
              FailsWith(Code::invalid_input, "ends before it starts"));
}

TEST(VerifyClientCertificate, CarriesOpensslsReason) {
  const auto ca = make_ca(KeyKind::ec_p256);
  const auto other = make_ca(KeyKind::ec_p256);
  const auto profile =
      Profile::compile(test::plain_spec(), ca.certificate, ca.signer->algorithm()).value();
  Minter minter = Minter::create(profile, ca.certificate, *ca.signer).value();
  Identity identity;
  const std::array<std::string_view, 2> slots = {"unit-1", "unit-1.example"};
  ASSERT_THAT(minter.mint(slots, identity), IsOk());
  const Certificate leaf = parse(identity.certificate_pem);
  const std::vector<Certificate> trusted = {ca.certificate};
  EXPECT_THAT(verify_client_certificate(leaf, {}, trusted, kNow), IsOk());
  EXPECT_THAT(verify_client_certificate(leaf, {}, {}, kNow),
              FailsWith(Code::check_failed, "unable to get local issuer certificate"));
  const std::vector<Certificate> untrusted = {other.certificate};
  // Same subject, another key: the key identifiers tell them apart.
  EXPECT_THAT(verify_client_certificate(leaf, {}, untrusted, kNow),
              FailsWith(Code::check_failed, "the certificate does not verify"));
  EXPECT_THAT(verify_client_certificate(leaf, {}, trusted, kNow + 3651 * kDay),
              FailsWith(Code::check_failed, "certificate has expired"));
  EXPECT_THAT(verify_client_certificate(leaf, {}, trusted, kNow - kDay),
              FailsWith(Code::check_failed, "not yet valid"));
}

TEST(VerifyClientCertificate, TellsStrictFromPlain) {
  const TempDir dir;
  // A v3 root without key identifiers, as hand-made CAs are.
  const std::string key_pem = openssl({"genpkey", "-algorithm", "ed25519"});
  const std::string pem = openssl(
      {"req", "-x509", "-key", dir.write("key", key_pem), "-subj", "/CN=Hand-made", "-days", "30",
       "-config",
       dir.write(
           "config",
           "[req]\ndistinguished_name=dn\nx509_extensions=e\n[dn]\n[e]\n"
           "basicConstraints=CA:TRUE\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n")});
  const Certificate ca = parse(pem);
  const PrivateKey key = PrivateKey::from_pem(bytes_of(key_pem)).value();
  const auto signer = make_key_signer(key).value();
  ProfileSpec spec = test::plain_spec();
  spec.not_before = ca.not_before();
  spec.not_after = ca.not_after();
  const auto profile = Profile::compile(spec, ca, signer->algorithm()).value();
  Minter minter = Minter::create(profile, ca, *signer).value();
  Identity identity;
  const std::array<std::string_view, 2> slots = {"unit-1", "unit-1.example"};
  ASSERT_THAT(minter.mint(slots, identity), IsOk());
  const Certificate leaf = parse(identity.certificate_pem);
  EXPECT_THAT(verify_client_certificate(leaf, {}, {&ca, 1}, ca.not_before(), Strictness::plain),
              IsOk());
  EXPECT_THAT(verify_client_certificate(leaf, {}, {&ca, 1}, ca.not_before()),
              FailsWith(Code::check_failed, "in the chain at depth 1"));
}

}  // namespace
}  // namespace imprint::crypto
