// Authorities that must not sign, most of them made by openssl as a user would.

#include <cstdlib>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "refusal.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;

/// A self-signed certificate beside its key, replacing the folder's CA.
std::function<void(BatchFolder&)> ca_made(const std::vector<std::string>& more) {
  return [more](BatchFolder&) {
    std::vector<std::string> command{
        "req",    "-x509",         "-newkey",     "ec",      "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-subj",         "/CN=Test CA", "-sha256", "-keyout",  "ca/ca-private.key",
        "-out",   "ca/ca-cert.pem"};
    command.insert(command.end(), more.begin(), more.end());
    openssl(command);
  };
}

std::function<void(BatchFolder&)> ca_init(const std::vector<std::string>& more) {
  return [more](BatchFolder&) {
    fs::remove_all("ca");
    std::vector<std::string> command{"ca", "init", "ca", "--cn", "Test CA"};
    command.insert(command.end(), more.begin(), more.end());
    const auto made = imprint(command);
    ASSERT_EQ(made.status, 0) << made.err;
  };
}

/// An encrypted key, and where the manifest says that its passphrase is.
std::function<void(BatchFolder&)> encrypted(const std::string& source) {
  return [source](BatchFolder& folder) {
    ::setenv("IMPRINT_TEST_RIGHT", "correct horse", 1);
    ::setenv("IMPRINT_TEST_WRONG", "battery staple", 1);
    ::unsetenv("IMPRINT_TEST_UNSET");
    ca_init({"--passphrase", "env:IMPRINT_TEST_RIGHT"})(folder);
    ::setenv("IMPRINT_TEST_RIGHT", "correct horse", 1);  // gone when it was read
    if (!source.empty()) folder.manifest["authority"]["passphrase"] = source;
    folder.save();
  };
}

TEST(BadAuthority, CertificatesAreRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  expect_refusals({
      {"no PEM", [](BatchFolder& f) { f.write("ca/ca-cert.pem", "hello\n"); },
       "reading the CA certificate: 'ca/ca-cert.pem': holds no certificate in PEM form"},
      {"a key",
       [](BatchFolder&) {
         fs::copy_file("ca/ca-private.key", "ca/ca-cert.pem", fs::copy_options::overwrite_existing);
       },
       "reading the CA certificate: 'ca/ca-cert.pem': holds no certificate in PEM form"},
      {"not a CA", ca_made({"-days", "9000", "-addext", "basicConstraints=critical,CA:FALSE"}),
       "CA certificate 'ca/ca-cert.pem': is no CA certificate: its basicConstraints say CA:FALSE; "
       "name the certificate of the CA itself"},
      {"may not sign",
       ca_made({"-days", "9000", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                "keyUsage=critical,digitalSignature"}),
       "CA certificate 'ca/ca-cert.pem': may not sign certificates: its keyUsage lacks "
       "keyCertSign; name the CA that issues devices"},
  });
}

TEST(BadAuthority, KeysAreRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  expect_refusals({
      {"of another certificate",
       [](BatchFolder& folder) {
         const auto made = imprint({"ca", "init", "other"});
         ASSERT_EQ(made.status, 0) << made.err;
         folder.manifest["authority"]["key"] = "other/ca-private.key";
         folder.save();
       },
       "CA key 'other/ca-private.key': belongs to another certificate than 'ca/ca-cert.pem'; name "
       "the key with which that one was made"},
      {"no PEM", [](BatchFolder& f) { f.write("ca/ca-private.key", "hello\n"); },
       "CA key 'ca/ca-private.key': holds no private key in PEM form"},
      {"a certificate",
       [](BatchFolder&) {
         fs::copy_file("ca/ca-cert.pem", "ca/ca-private.key", fs::copy_options::overwrite_existing);
       },
       "CA key 'ca/ca-private.key': holds no private key, but a 'CERTIFICATE'"},
      {"encrypted, no passphrase", encrypted(""),
       "CA key 'ca/ca-private.key': it is encrypted and no passphrase was given; name its source: "
       "env:NAME, file:PATH, fd:N, credential:NAME or prompt"},
      {"wrong passphrase", encrypted("env:IMPRINT_TEST_WRONG"),
       "CA key 'ca/ca-private.key': wrong passphrase for the private key"},
      {"unset variable", encrypted("env:IMPRINT_TEST_UNSET"),
       "CA key 'ca/ca-private.key': reading the passphrase from 'env:IMPRINT_TEST_UNSET': the "
       "environment variable 'IMPRINT_TEST_UNSET' is not set; export it, or name another source"},
      {"missing passphrase file", encrypted("file:nowhere"),
       "CA key 'ca/ca-private.key': reading the passphrase from 'file:nowhere': opening 'nowhere': "
       "No such file or directory"},
  });
}

TEST(BadAuthority, TheRightPassphraseOpensIt) {
  IMPRINT_NEED_IMAGES();
  BatchFolder folder(Variant::empty_b, 1);
  encrypted("env:IMPRINT_TEST_RIGHT")(folder);
  const auto made = imprint({"batch", "manifest.json"});
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.out + made.err, testing::Not(testing::HasSubstr("correct horse")));
}

/// A message with dates in it, which are of today: as a regular expression.
void expect_refused_like(const std::function<void(BatchFolder&)>& spoil,
                         const std::string& pattern) {
  BatchFolder folder(Variant::empty_b, 1);
  spoil(folder);
  const auto before = listing(".");
  const auto refused = imprint({"batch", "manifest.json"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, testing::MatchesRegex("imprint: error: " + pattern + "\n"));
  EXPECT_EQ(listing("."), before);
}

/// A CA certificate valid between two dates (YYMMDDHHMMSSZ), by `openssl ca`.
std::function<void(BatchFolder&)> ca_valid(const std::string& from, const std::string& to) {
  return [from, to](BatchFolder& folder) {
    ca_made({"-days", "1"})(folder);
    folder.write("ca.conf",
                 "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nserial = serial\nnew_certs_dir = .\n"
                 "default_md = sha256\npolicy = p\nunique_subject = no\nx509_extensions = e\n"
                 "[p]\ncommonName = supplied\n"
                 "[e]\nbasicConstraints = critical, CA:TRUE\nsubjectKeyIdentifier = hash\n"
                 "keyUsage = critical, keyCertSign, cRLSign\n");
    folder.write("index", "");
    folder.write("serial", "01\n");
    openssl({"req", "-new", "-key", "ca/ca-private.key", "-subj", "/CN=Test CA", "-out", "ca.csr"});
    openssl({"ca", "-batch", "-selfsign", "-notext", "-config", "ca.conf", "-keyfile",
             "ca/ca-private.key", "-in", "ca.csr", "-startdate", from, "-enddate", to, "-out",
             "ca/ca-cert.pem"});
  };
}

TEST(BadAuthority, NamesThatItsConstraintsForbidAreRefused) {
  IMPRINT_NEED_IMAGES();
  const auto constrained = [](const std::string& subtree) {
    return ca_made({"-days", "9000", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                    "keyUsage=critical,keyCertSign,cRLSign", "-addext",
                    "nameConstraints=critical," + subtree});
  };
  expect_refusals({
      {"another domain", constrained("permitted;DNS:example.org"),
       "devices.csv:2: the CA 'CN=Test CA' does not allow the names of this device: permitted "
       "subtree "
       "violation (its nameConstraints, RFC 5280 4.2.1.10); change the subject or the SAN, or use "
       "another CA"},
      {"one device", constrained("excluded;DNS:unit-3.devices.example.com"),
       "devices.csv:4: the CA 'CN=Test CA' does not allow the names of this device: excluded "
       "subtree "
       "violation (its nameConstraints, RFC 5280 4.2.1.10); change the subject or the SAN, or use "
       "another CA"},
  });
  BatchFolder folder(Variant::empty_b, 1);
  constrained("permitted;DNS:devices.example.com")(folder);
  const auto made = imprint({"batch", "manifest.json"});
  EXPECT_EQ(made.status, 0) << made.err;
}

constexpr const char* kTime = "20[0-9-]+T[0-9:]+Z";

TEST(BadAuthority, OutsideItsValidityIsRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  expect_refused_like(
      ca_valid("20100101000000Z", "20200101000000Z"),
      fmt::format("CA certificate 'ca/ca-cert.pem': expired on 2020-01-01T00:00:00Z \\(now it is "
                  "{}\\); renew the CA, or set the clock",
                  kTime));
  expect_refused_like(
      ca_valid("20900101000000Z", "21200101000000Z"),
      fmt::format("CA certificate 'ca/ca-cert.pem': is not valid before 2090-01-01T00:00:00Z "
                  "\\(now it is {}\\); wait, or set the clock",
                  kTime));
}

TEST(BadAuthority, ALeafThatWouldOutliveItIsRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refused_like(
      ca_init({"--days", "100"}),
      fmt::format("manifest.json: /identity/days: a certificate until {0} "
                  "would outlive its CA, which ends on {0}; give at most [0-9]+ days, "
                  "or use a CA that lasts longer",
                  kTime));
}

TEST(BadAuthority, AnExcessUnderADayIsCutToItsEnd) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  BatchFolder folder(Variant::empty_b, 1);
  ca_init({"--days", "3650"})(folder);
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const std::string leaf = ImageOracle("out/unit-1.sdimg").cat(kData, "/mender/mender-cert.pem");
  EXPECT_EQ(openssl({"x509", "-noout", "-enddate"}, leaf),
            openssl({"x509", "-noout", "-enddate", "-in", "ca/ca-cert.pem"}));
}

}  // namespace
}  // namespace imprint::cli::test
