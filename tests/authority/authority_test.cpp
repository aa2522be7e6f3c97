#include "imprint/authority/authority.hpp"

#include "folder.hpp"

namespace imprint::authority {
namespace {

using test::CaFolder;
using test::FailsWith;
using test::IsOk;
using test::kDay;
using test::now;
using test::open;
using test::openssl;
using test::TempDir;

const std::vector<std::string> kRsa2048 = {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"};
const std::vector<std::string> kEd25519 = {"-algorithm", "ed25519"};

std::vector<std::string> curve(const std::string& name) {
  return {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + name};
}

/// The single warning of an authority, or what is wrong with that.
std::string only_warning(const Result<Authority>& authority) {
  if (!authority) return "failed: " + authority.error().message();
  return authority->warnings().size() == 1 ? authority->warnings().front()
                                           : testing::PrintToString(authority->warnings());
}

class ForeignCa : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(ForeignCa, OpensWithoutWarnings) {
  const CaFolder folder(CaFolder::kGoodExtensions, GetParam());
  const auto authority = open(folder);
  ASSERT_THAT(authority, IsOk());
  EXPECT_THAT(authority->warnings(), testing::IsEmpty());
  EXPECT_EQ(authority->certificate().common_name(), "Foreign CA");
  EXPECT_EQ(authority->strictness(), crypto::Strictness::strict);
  EXPECT_TRUE(authority->chain().empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, ForeignCa,
                         testing::Values(curve("P-256"), curve("P-384"), curve("P-521"), kRsa2048,
                                         kEd25519,
                                         std::vector<std::string>{"-algorithm", "RSA", "-pkeyopt",
                                                                  "rsa_keygen_bits:2560"}));

TEST(Authority, ReadsTheKeyFormsThatToolsWrite) {
  const CaFolder folder;
  const std::string pkcs8 = openssl({"pkey", "-in", folder.key()});
  folder.write_key(openssl({"ec"}, pkcs8));
  EXPECT_THAT(open(folder), IsOk()) << "SEC1";
  const CaFolder rsa(CaFolder::kGoodExtensions, kRsa2048);
  rsa.write_key(openssl({"rsa", "-traditional", "-in", rsa.key()}));
  EXPECT_THAT(open(rsa), IsOk()) << "PKCS#1";
}

TEST(Authority, TakesADerCertificate) {
  const CaFolder folder;
  openssl(
      {"x509", "-in", folder.certificate(), "-outform", "DER", "-out", folder.dir() / "ca.der"});
  AuthoritySource files = folder.files();
  files.certificate = folder.dir() / "ca.der";
  EXPECT_THAT(Authority::open(files, now()), IsOk());
}

TEST(Authority, LeavesOutWhatIsNotAboveIt) {
  const CaFolder folder;
  const CaFolder stranger;
  AuthoritySource files = folder.files();
  files.certificate =
      folder.dir().write("both.pem", imprint::test::slurp(folder.certificate()) +
                                         imprint::test::slurp(stranger.certificate()));
  const auto authority = Authority::open(files, now());
  ASSERT_THAT(authority, IsOk());
  EXPECT_THAT(authority->chain(), testing::IsEmpty());
}

TEST(Authority, OpensAnEncryptedKeyWithItsPassphrase) {
  const CaFolder folder;
  folder.write_key(openssl({"pkcs8", "-topk8", "-in", folder.key(), "-passout", "pass:hunter2"}));
  EXPECT_THAT(open(folder),
              FailsWith(Code::invalid_input,
                        "it is encrypted and no passphrase was given; name its source: env:NAME"));
  AuthoritySource files = folder.files();
  test::set_environment("IMPRINT_TEST_PASSPHRASE", "hunter2");
  files.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_PASSPHRASE"};
  EXPECT_THAT(Authority::open(files, now()), IsOk());
  test::set_environment("IMPRINT_TEST_PASSPHRASE", "hunter3");
  EXPECT_THAT(Authority::open(files, now()),
              FailsWith(Code::invalid_input, "ca.key': wrong passphrase for the private key"));
  test::set_environment("IMPRINT_TEST_PASSPHRASE", nullptr);
  EXPECT_THAT(Authority::open(files, now()),
              FailsWith(Code::invalid_input,
                        "the environment variable 'IMPRINT_TEST_PASSPHRASE' is not set"));
}

TEST(Authority, DoesNotAskForAPassphraseThatIsNotNeeded) {
  const CaFolder folder;
  AuthoritySource files = folder.files();
  files.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_NOT_SET"};
  EXPECT_THAT(Authority::open(files, now()), IsOk());
}

TEST(Authority, RefusesACertificateThatIsNoCa) {
  EXPECT_THAT(open(CaFolder("basicConstraints=critical,CA:FALSE\n")),
              FailsWith(Code::invalid_input,
                        "is no CA certificate: its basicConstraints say CA:FALSE; name the "
                        "certificate of the CA itself"));
  EXPECT_THAT(open(CaFolder("keyUsage=keyCertSign\n")),
              FailsWith(Code::invalid_input, "is no CA certificate: it has no basicConstraints"));
  EXPECT_THAT(
      open(CaFolder("basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature\n")),
      FailsWith(Code::invalid_input, "may not sign certificates: its keyUsage lacks keyCertSign"));
}

TEST(Authority, RefusesAV1CertificateOfAnotherCa) {
  const CaFolder parent;
  const CaFolder folder("");
  const std::string request =
      openssl({"req", "-new", "-key", folder.key(), "-subj", "/CN=Sub", "-config",
               folder.dir().write("request", "[req]\ndistinguished_name=dn\n[dn]\n")});
  openssl({"x509", "-req", "-CA", parent.certificate(), "-CAkey", parent.key(), "-days", "30",
           "-out", folder.certificate()},
          request);
  EXPECT_THAT(
      open(folder),
      FailsWith(Code::invalid_input,
                "is no CA certificate: it is an X.509 v1 certificate that another CA has issued"));
}

TEST(Authority, AllowsASelfSignedV1CaWithAWarning) {
  const auto authority = open(CaFolder(""));
  ASSERT_THAT(authority, IsOk());
  EXPECT_EQ(authority->certificate().version(), 1);
  ASSERT_FALSE(authority->warnings().empty());
  EXPECT_NE(authority->warnings().front().find("is X.509 v1"), std::string::npos);
}

TEST(Authority, WarnsOfACaThatStrictVerifiersRefuse) {
  const auto authority = open(CaFolder("basicConstraints=CA:TRUE\nsubjectKeyIdentifier=hash\n"));
  ASSERT_THAT(authority, IsOk());
  EXPECT_EQ(authority->strictness(), crypto::Strictness::plain);
  EXPECT_NE(only_warning(authority).find(
                "strict verifiers will refuse its devices (the certificate does not verify: "),
            std::string::npos)
      << only_warning(authority);
}

TEST(Authority, WarnsOfABrokenSignatureDigest) {
  const auto authority = open(CaFolder(CaFolder::kGoodExtensions, kRsa2048, {"-sha1"}));
  EXPECT_NE(only_warning(authority).find("is signed with sha1WithRSAEncryption, which is broken"),
            std::string::npos)
      << only_warning(authority);
}

TEST(Authority, WarnsOfAKeyThatOthersCanRead) {
  const CaFolder folder;
  std::filesystem::permissions(folder.key(), std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  EXPECT_NE(only_warning(open(folder)).find("can be read by others; run chmod 600 on it"),
            std::string::npos);
}

TEST(Authority, RefusesToSignOutsideItsValidity) {
  const CaFolder folder;
  const auto expired = Authority::open(folder.files(), now() + 366 * kDay);
  EXPECT_THAT(expired, FailsWith(Code::invalid_input, "expired on "));
  EXPECT_THAT(expired, FailsWith(Code::invalid_input, "ca.pem'"));
  EXPECT_THAT(expired,
              FailsWith(Code::invalid_input, to_rfc3339(open(folder)->certificate().not_after())));
  EXPECT_THAT(Authority::open(folder.files(), now() - kDay),
              FailsWith(Code::invalid_input, "is not valid before "));
}

TEST(Authority, RefusesTheKeyOfAnotherCertificate) {
  const CaFolder folder;
  const CaFolder other;
  AuthoritySource files = folder.files();
  files.key = KeyFile{other.key()};
  EXPECT_THAT(Authority::open(files, now()),
              FailsWith(Code::invalid_input,
                        "belongs to another certificate than '" + folder.certificate().string()));
}

TEST(Authority, RefusesAWeakKey) {
  EXPECT_THAT(open(CaFolder(CaFolder::kGoodExtensions,
                            {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"})),
              FailsWith(Code::unsupported, "ca.key': RSA with 1024 bits is too weak for a CA"));
  EXPECT_THAT(open(CaFolder(CaFolder::kGoodExtensions, curve("P-224"))),
              FailsWith(Code::unsupported, "the curve secp224r1 is not supported"));
  EXPECT_THAT(open(CaFolder(CaFolder::kGoodExtensions, curve("secp256k1"))),
              FailsWith(Code::unsupported, "the curve secp256k1"));
}

TEST(Authority, NamesTheFileThatIsMissingOrNoFile) {
  const CaFolder folder;
  AuthoritySource files = folder.files();
  files.key = KeyFile{folder.dir() / "absent.key"};
  EXPECT_THAT(Authority::open(files, now()), FailsWith(Code::not_found, "absent.key"));
  files.key = KeyFile{folder.dir().path()};
  EXPECT_THAT(Authority::open(files, now()), FailsWith(Code::invalid_input, "reading the CA key"));
  files = folder.files();
  files.certificate = folder.dir() / "absent.pem";
  EXPECT_THAT(Authority::open(files, now()), FailsWith(Code::not_found, "absent.pem"));
  files.certificate = folder.dir().path();
  EXPECT_THAT(Authority::open(files, now()),
              FailsWith(Code::invalid_input, "reading the CA certificate"));
}

TEST(Authority, RefusesFilesThatHoldSomethingElse) {
  const CaFolder folder;
  AuthoritySource files = folder.files();
  files.certificate = folder.key();
  EXPECT_THAT(Authority::open(files, now()),
              FailsWith(Code::invalid_input, "ca.key': holds no certificate"));
  files = folder.files();
  files.key = KeyFile{folder.certificate()};
  EXPECT_THAT(Authority::open(files, now()),
              FailsWith(Code::invalid_input, "ca.pem': holds no private key, but a 'CERTIFICATE'"));
  folder.write_key("");
  EXPECT_THAT(open(folder), FailsWith(Code::invalid_input, "ca.key': empty, not a private key"));
  files.certificate = folder.dir().write("empty.pem", "");
  EXPECT_THAT(Authority::open(files, now()),
              FailsWith(Code::invalid_input, "empty.pem': empty, not a certificate"));
  folder.write_key(std::string((std::size_t{1} << 20) + 1, 'x'));
  EXPECT_THAT(open(folder),
              FailsWith(Code::invalid_input, "more than the 1048576 that it may have"));
}

}  // namespace
}  // namespace imprint::authority
