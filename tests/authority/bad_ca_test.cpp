// CAs and keys that must not sign, or that need a form of their own, as openssl makes them.

#include <filesystem>
#include <sys/stat.h>

#include "folder.hpp"
#include "imprint/base/version.hpp"

namespace imprint::authority {
namespace {

namespace fs = std::filesystem;

using imprint::test::slurp;
using test::CaFolder;
using test::FailsWith;
using test::IsOk;
using test::now;
using test::open;
using test::openssl;

const std::vector<std::string> kRsa2048 = {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"};

/// A certificate `name`.pem with this key and these extensions, issued by another CA.
void issue(const CaFolder& by, const CaFolder& to, const std::string& extensions,
           const std::vector<std::string>& more = {}) {
  const std::string config = to.dir().write("request", "[req]\ndistinguished_name=dn\n[dn]\n");
  const std::string request =
      openssl({"req", "-new", "-key", to.key(), "-subj", "/CN=Sub CA", "-config", config});
  std::vector<std::string> command = {
      "x509",   "-req",          "-CA", by.certificate(), "-CAkey",
      by.key(), "-days",         "30",  "-extfile",       to.dir().write("extensions", extensions),
      "-out",   to.certificate()};
  command.insert(command.end(), more.begin(), more.end());
  openssl(command, request);
}

TEST(BadCaCertificate, WithACriticalExtensionNobodyKnows) {
  EXPECT_THAT(open(CaFolder(CaFolder::kGoodExtensions + "1.2.3.4=critical,DER:0500\n")),
              FailsWith(Code::invalid_input,
                        "ca.pem': has a critical extension that verifiers do not know (1.2.3.4), "
                        "so they refuse all that it signs; make the CA without it"));
}

TEST(BadCaCertificate, WithExplicitCurveParameters) {
  EXPECT_THAT(open(CaFolder(CaFolder::kGoodExtensions,
                            {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt",
                             "ec_param_enc:explicit"})),
              FailsWith(Code::unsupported,
                        "an EC key with explicit curve parameters, which verifiers refuse; make "
                        "one with a named curve"));
}

TEST(BadCaCertificate, OfAKeyThatIsRestrictedToPss) {
  EXPECT_THAT(open(CaFolder(CaFolder::kGoodExtensions,
                            {"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"})),
              FailsWith(Code::unsupported,
                        "ca.key': an RSA key that is restricted to PSS signatures (RSA-PSS) is not "
                        "supported; use a plain RSA, EC or Ed25519 key"));
}

TEST(BadCaCertificate, OfAPlainRsaKeyThatIsItselfSignedWithPssIsTaken) {
  EXPECT_THAT(
      open(CaFolder(CaFolder::kGoodExtensions, kRsa2048, {"-sigopt", "rsa_padding_mode:pss"})),
      IsOk());
}

TEST(BadCaCertificate, OfAnRsaKeyWithExponentThree) {
  std::vector<std::string> generate = kRsa2048;
  generate.insert(generate.end(), {"-pkeyopt", "rsa_keygen_pubexp:3"});
  EXPECT_THAT(
      open(CaFolder(CaFolder::kGoodExtensions, generate)),
      FailsWith(Code::unsupported,
                "ca.key': an RSA key whose public exponent is not 65537; make another key"));
}

TEST(BadCaCertificate, BelowARootWithABrokenSignature) {
  const CaFolder root(CaFolder::kGoodExtensions, kRsa2048);
  const CaFolder sub;
  issue(root, sub, CaFolder::kGoodExtensions, {"-sha1"});
  EXPECT_THAT(open(sub),
              FailsWith(Code::invalid_input,
                        "ca.pem': is signed with sha1WithRSAEncryption, which is broken, and "
                        "verifiers refuse it; have the CA above it issue it anew with SHA-256"));
}

TEST(BadCaCertificate, ThatIsADeviceCertificate) {
  const CaFolder root;
  const CaFolder leaf;
  issue(root, leaf, "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n");
  EXPECT_THAT(open(leaf),
              FailsWith(Code::invalid_input, "is no CA certificate: it has no basicConstraints"));
}

TEST(BadChain, WithTheRootBeforeTheCa) {
  const CaFolder root;
  const CaFolder sub;
  issue(root, sub, CaFolder::kGoodExtensions);
  AuthoritySource source = sub.files();
  source.certificate =
      sub.dir().write("all.pem", slurp(root.certificate()) + slurp(sub.certificate()));
  EXPECT_THAT(
      Authority::open(source, now()),
      FailsWith(Code::invalid_input,
                "ca.key': belongs to another certificate than '" + source.certificate.string() +
                    "'; its own is number 2 in that file: put it first, those above it after it"));
}

TEST(BadChain, AboveWhosePathLengthTheCaMayNotBe) {
  const CaFolder root(
      "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
      "subjectKeyIdentifier=hash\n");
  const CaFolder sub;
  issue(root, sub, CaFolder::kGoodExtensions);
  AuthoritySource source = sub.files();
  source.chain = root.certificate();
  const auto authority = Authority::open(source, now());
  ASSERT_THAT(authority, IsOk()) << "who trusts the CA itself does not mind";
  ASSERT_EQ(authority->warnings().size(), 1U);
  EXPECT_NE(authority->warnings().front().find(
                "verifiers that go up to 'CN=Foreign CA' will refuse its devices (the certificate "
                "does not verify: path length constraint exceeded"),
            std::string::npos)
      << authority->warnings().front();
}

TEST(BadClock, BeforeTheYearOfTheProgramIsRefused) {
  const CaFolder folder;
  const TimePoint past = std::chrono::sys_days{std::chrono::year{1970} / 1 / 2};
  EXPECT_THAT(
      Authority::open(folder.files(), past),
      FailsWith(Code::invalid_input,
                "the clock of this machine says 1970-01-02T00:00:00Z, before this program "
                "was built (" +
                    std::to_string(kBuildYear) + "); set it: the certificates would start then"));
}

TEST(BadKeyFile, WithTwoKeys) {
  const CaFolder folder;
  folder.write_key(slurp(folder.key()) + openssl({"genpkey", "-algorithm", "ed25519"}));
  EXPECT_THAT(open(folder), FailsWith(Code::invalid_input,
                                      "ca.key': holds more than one private key; leave only the "
                                      "one that is meant"));
}

TEST(BadKeyFile, ThatIsAFifoDoesNotHang) {
  const CaFolder folder;
  AuthoritySource source = folder.files();
  source.key = KeyFile{folder.dir() / "fifo"};
  ASSERT_EQ(::mkfifo((folder.dir() / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(Authority::open(source, now()), FailsWith(Code::invalid_input,
                                                        "fifo' is not a regular "
                                                        "file"));
}

TEST(BadKeyFile, InPkcs12) {
  const CaFolder folder;
  folder.write_key(openssl({"pkcs12", "-export", "-inkey", folder.key(), "-in",
                            folder.certificate(), "-passout", "pass:hunter2"}));
  EXPECT_THAT(open(folder),
              FailsWith(Code::invalid_input,
                        "ca.key': is a PKCS#12 file; take the key out of it with 'openssl pkcs12 "
                        "-in FILE -nocerts -out ca.key'"));
}

TEST(BadKeyFile, WithAKeyDerivationNobodyKnows) {
  const CaFolder folder;
  std::string der = openssl(
      {"pkcs8", "-topk8", "-in", folder.key(), "-outform", "DER", "-passout", "pass:hunter2"});
  const std::string pbkdf2 = "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
  const std::size_t at = der.find(pbkdf2);
  ASSERT_NE(at, std::string::npos);
  der[at + pbkdf2.size() - 1] = '\x7f';
  folder.write_key(der);
  AuthoritySource source = folder.files();
  test::set_environment("IMPRINT_TEST_PASSPHRASE", "hunter2");
  source.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_PASSPHRASE"};
  EXPECT_THAT(Authority::open(source, now()),
              FailsWith(Code::unsupported,
                        "ca.key': the private key is encrypted in a way that is not supported; "
                        "encrypt it anew with 'openssl pkcs8 -topk8': "));
}

TEST(BadKeyFile, OfDerThatIsNoKey) {
  const CaFolder folder;
  folder.write_key(openssl({"x509", "-in", folder.certificate(), "-outform", "DER"}));
  EXPECT_THAT(open(folder),
              FailsWith(Code::invalid_input, "ca.key': holds no private key, but a certificate"));
  folder.write_key("0\x03\x02\x01\x05");
  EXPECT_THAT(open(folder),
              FailsWith(Code::invalid_input, "ca.key': holds no private key in PEM or DER form"));
}

struct DerForm {
  std::string name;
  std::vector<std::string> generate;
  std::vector<std::string> convert;
  bool encrypted = false;
};

void PrintTo(const DerForm& form, std::ostream* out) {
  *out << form.name;
}

class DerKey : public testing::TestWithParam<DerForm> {};

TEST_P(DerKey, Signs) {
  const CaFolder folder(CaFolder::kGoodExtensions, GetParam().generate);
  std::vector<std::string> convert = GetParam().convert;
  convert.insert(convert.end(), {"-outform", "DER", "-in", folder.key()});
  folder.write_key(openssl(convert));
  AuthoritySource source = folder.files();
  if (GetParam().encrypted) {
    EXPECT_THAT(open(folder), FailsWith(Code::invalid_input, "no passphrase was given"));
    test::set_environment("IMPRINT_TEST_PASSPHRASE", "hunter2");
    source.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_PASSPHRASE"};
  }
  EXPECT_THAT(Authority::open(source, now()), IsOk());
}

INSTANTIATE_TEST_SUITE_P(
    Forms, DerKey,
    testing::Values(DerForm{"pkcs8", CaFolder::kP256, {"pkcs8", "-topk8", "-nocrypt"}},
                    DerForm{"sec1", CaFolder::kP256, {"ec"}},
                    DerForm{"pkcs1", kRsa2048, {"rsa", "-traditional"}},
                    DerForm{"pkcs8_encrypted",
                            CaFolder::kP256,
                            {"pkcs8", "-topk8", "-passout", "pass:hunter2"},
                            true}),
    [](const auto& form) { return form.param.name; });

}  // namespace
}  // namespace imprint::authority
