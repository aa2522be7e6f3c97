// CAs that others have made work as they are: every form of key file, and the folders of easy-rsa,
// `openssl ca` and step.

#include <filesystem>

#include "folder.hpp"
#include "imprint/authority/ca_folder.hpp"
#include "support/nobody.hpp"

namespace imprint::authority {
namespace {

namespace fs = std::filesystem;

using imprint::test::slurp;
using test::CaFolder;
using test::FailsWith;
using test::IsOk;
using test::openssl;
using test::run_command;
using test::TempDir;

struct KeyForm {
  std::string name;
  std::vector<std::string> generate;
  std::vector<std::string> convert;  ///< of the PKCS#8 key; reads standard input
  bool encrypted = false;
};

void PrintTo(const KeyForm& form, std::ostream* out) {
  *out << form.name;
}

class ExistingKey : public testing::TestWithParam<KeyForm> {};

TEST_P(ExistingKey, Signs) {
  const KeyForm& form = GetParam();
  const CaFolder folder(CaFolder::kGoodExtensions, form.generate);
  folder.write_key("Bag Attributes\n    friendlyName: text around it\n" +
                   openssl(form.convert, slurp(folder.key())) + "and below\n");
  AuthoritySource source = folder.files();
  test::set_environment("IMPRINT_TEST_PASSPHRASE", "hunter2");
  if (form.encrypted) {
    EXPECT_THAT(Authority::open(source, test::now()),
                FailsWith(Code::invalid_input, "no passphrase was given"));
    source.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_PASSPHRASE"};
  }
  EXPECT_THAT(Authority::open(source, test::now()), IsOk());
  test::set_environment("IMPRINT_TEST_PASSPHRASE", nullptr);
}

const std::vector<std::string> kRsa = {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"};
const std::vector<std::string> kEd25519 = {"-algorithm", "ED25519"};
const std::vector<std::string> kP384 = {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"};

INSTANTIATE_TEST_SUITE_P(
    Forms, ExistingKey,
    testing::Values(
        KeyForm{"ec_pkcs8", CaFolder::kP256, {"pkey"}}, KeyForm{"ec_sec1", CaFolder::kP256, {"ec"}},
        KeyForm{"ec_sec1_with_parameters", kP384, {"ec", "-param_enc", "named_curve"}},
        KeyForm{"ec_sec1_encrypted",
                CaFolder::kP256,
                {"ec", "-aes256", "-passout", "pass:hunter2"},
                true},
        KeyForm{"ec_pkcs8_encrypted",
                CaFolder::kP256,
                {"pkcs8", "-topk8", "-passout", "pass:hunter2"},
                true},
        KeyForm{"ec_pkcs8_scrypt",
                CaFolder::kP256,
                {"pkcs8", "-topk8", "-scrypt", "-passout", "pass:hunter2"},
                true},
        KeyForm{"rsa_pkcs8", kRsa, {"pkey"}}, KeyForm{"rsa_pkcs1", kRsa, {"rsa", "-traditional"}},
        KeyForm{"rsa_pkcs1_encrypted",
                kRsa,
                {"rsa", "-traditional", "-aes128", "-passout", "pass:hunter2"},
                true},
        KeyForm{"rsa_pkcs8_old_cipher",
                kRsa,
                {"pkcs8", "-topk8", "-v2", "des3", "-passout", "pass:hunter2"},
                true},
        KeyForm{"ed25519_pkcs8", kEd25519, {"pkey"}},
        KeyForm{
            "ed25519_encrypted", kEd25519, {"pkcs8", "-topk8", "-passout", "pass:hunter2"}, true}),
    [](const auto& form) { return form.param.name; });

/// Copies a CA made by openssl to where a tool keeps it.
void lay_out(const CaFolder& from, const TempDir& dir, const fs::path& certificate,
             const fs::path& key) {
  for (const auto& [source, target] :
       {std::pair(from.certificate(), certificate), std::pair(from.key(), key)}) {
    fs::create_directories((dir.path() / target).parent_path());
    fs::copy_file(source, dir.path() / target);
  }
}

void expect_opens(const CaPaths& found) {
  EXPECT_THAT(
      Authority::open(
          {.certificate = found.certificate, .key = KeyFile{found.key}, .passphrase = std::nullopt},
          test::now()),
      IsOk());
}

TEST(ExistingFolder, OfEasyRsa) {
  const std::string easyrsa = "/usr/share/easy-rsa/easyrsa";
  if (!fs::exists(easyrsa)) GTEST_SKIP() << "needs easy-rsa";
  for (const char* const algorithm : {"ec", "rsa"}) {
    const TempDir dir;
    const std::string pki = dir / "pki";
    const auto run = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(),
                       {easyrsa, "--batch", "--pki-dir=" + pki,
                        "--use-algo=" + std::string(algorithm), "--curve=prime256v1"});
      const auto result = run_command(arguments);
      ASSERT_EQ(result.status, 0) << result.out << result.err;
    };
    run({"init-pki"});
    run({"build-ca", "nopass"});
    for (const fs::path& folder : {dir.path(), fs::path(pki)}) {
      const auto found = find_ca_folder(folder);
      ASSERT_THAT(found, IsOk());
      EXPECT_EQ(found->tool, "easy-rsa");
      expect_opens(*found);
    }
  }
}

TEST(ExistingFolder, OfOpensslCa) {
  const CaFolder ca;
  const TempDir dir;
  lay_out(ca, dir, "cacert.pem", "private/cakey.pem");
  const auto found = find_ca_folder(dir.path());
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->tool, "openssl ca");
  EXPECT_EQ(found->chain, found->certificate);
  expect_opens(*found);
}

TEST(ExistingFolder, OfStepWhoseIntermediateIssues) {
  const CaFolder root;
  const CaFolder intermediate;
  const TempDir dir;
  lay_out(root, dir, "certs/root_ca.crt", "secrets/root_ca_key");
  const auto only_root = find_ca_folder(dir.path());
  ASSERT_THAT(only_root, IsOk());
  EXPECT_EQ(only_root->certificate, dir / "certs/root_ca.crt");
  lay_out(intermediate, dir, "certs/intermediate_ca.crt", "secrets/intermediate_ca_key");
  const auto found = find_ca_folder(dir.path());
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->tool, "step");
  EXPECT_EQ(found->certificate, dir / "certs/intermediate_ca.crt");
  EXPECT_EQ(found->key, dir / "secrets/intermediate_ca_key");
  EXPECT_EQ(found->chain, dir / "certs/root_ca.crt");
  expect_opens(*found);
}

TEST(ExistingFolder, ThatIsNone) {
  const TempDir dir;
  EXPECT_THAT(
      find_ca_folder(dir.path()),
      FailsWith(Code::not_found, "there is no CA in '" + dir.path().string() +
                                     "' (none of ca-cert.pem, ca.crt, pki/ca.crt, "
                                     "cacert.pem, certs/intermediate_ca.crt, "
                                     "certs/root_ca.crt); make one with 'imprint ca init'"));
  EXPECT_THAT(find_ca_folder(dir / "absent"),
              FailsWith(Code::not_found, "absent' is no folder; name a CA's folder"));
}

TEST(ExistingFolder, ThatCannotBeLookedIntoIsNotSaidToBeEmpty) {
  const TempDir dir;
  fs::create_symlink("loop", dir / "loop");
  EXPECT_THAT(
      find_ca_folder(dir / "loop"),
      FailsWith(Code::invalid_input, "looking for the CA's folder '" + (dir / "loop").native() +
                                         "': Too many levels of symbolic links"));
  fs::create_symlink("ca-cert.pem", dir / "ca-cert.pem");
  EXPECT_THAT(find_ca_folder(dir.path()),
              FailsWith(Code::invalid_input, "looking for '" + (dir / "ca-cert.pem").native() +
                                                 "': Too many levels of symbolic links"));
}

TEST(ExistingFolder, OfAnotherUserIsNotSaidToBeEmpty) {
  const TempDir dir;
  dir.write("ca-cert.pem", "");
  fs::permissions(dir.path(), fs::perms::none);
  {
    const imprint::test::ScopedNobody nobody;
    if (!nobody.works()) GTEST_SKIP() << "cannot become another user";
    EXPECT_THAT(find_ca_folder(dir.path()), FailsWith(Code::io, "ca-cert.pem': Permission denied"));
    EXPECT_THAT(find_ca_folder(dir / "below"), FailsWith(Code::io, "below': Permission denied"));
  }
  fs::permissions(dir.path(), fs::perms::owner_all);
}

TEST(ExistingFolder, WithTwoCasIsAmbiguous) {
  const TempDir dir;
  dir.write("ca.crt", "");
  dir.write("cacert.pem", "");
  EXPECT_THAT(find_ca_folder(dir.path()),
              FailsWith(Code::invalid_input,
                        "holds two CAs, ca.crt (made by easy-rsa) and cacert.pem (made by openssl "
                        "ca); move one away"));
}

TEST(ExistingChain, IsOrderedByWhoIssuedWhom) {
  // Root, intermediate and issuing CA by openssl, in a file in no order at all.
  const CaFolder root;
  const TempDir& dir = root.dir();
  const std::string extensions = dir.write("e", CaFolder::kGoodExtensions);
  const auto below = [&](const std::string& name, const std::string& issuer) {
    openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", dir / (name + ".key"), "-subj", "/CN=" + name, "-out", dir / "csr"});
    openssl({"x509", "-req", "-in", dir / "csr", "-CA", dir / (issuer + ".pem"), "-CAkey",
             dir / (issuer + ".key"), "-days", "100", "-extfile", extensions, "-out",
             dir / (name + ".pem")});
  };
  below("middle", "ca");
  below("issuing", "middle");
  fs::permissions(dir / "issuing.key", fs::perms::owner_read | fs::perms::owner_write);
  const std::string all = slurp(dir / "issuing.pem") + "text between\n" + slurp(dir / "ca.pem") +
                          slurp(dir / "middle.pem");
  const auto authority = Authority::open({.certificate = dir.write("all.pem", all),
                                          .key = KeyFile{dir / "issuing.key"},
                                          .passphrase = std::nullopt},
                                         test::now());
  ASSERT_THAT(authority, IsOk());
  ASSERT_EQ(authority->chain().size(), 2U);
  EXPECT_EQ(authority->chain()[0].subject_text(), "CN=middle");
  EXPECT_EQ(authority->chain()[1].subject_text(), "CN=Foreign CA");
}

}  // namespace
}  // namespace imprint::authority
