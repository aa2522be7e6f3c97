// What a manifest's `identity` says, as it stands on the devices: judged by openssl. And what is
// told before the first key is made.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "device_proof.hpp"
#include "refusal.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;
using testing::HasSubstr;
using testing::Not;

std::function<void(BatchFolder&)> identity(const Json& patch) {
  return [patch](BatchFolder& folder) {
    folder.manifest["identity"].merge_patch(patch);
    folder.save();
  };
}

const Json kIdevid = {{"profile", "idevid"},
                      {"hardware_type", "1.3.6.1.4.1.99999.1"},
                      {"subject", {{"CN", "{id}"}, {"serialNumber", "{serial}"}, {"O", nullptr}}},
                      {"san", nullptr},
                      {"days", nullptr}};

/// The CA's certificate made anew by openssl, with more options; ten years and the same key.
std::function<void(BatchFolder&)> constrained_ca(const std::string& constraints) {
  return [constraints](BatchFolder&) {
    openssl({"req", "-x509", "-key", "ca/ca-private.key", "-subj", "/CN=Test CA", "-sha256",
             "-days", "9000", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
             "keyUsage=critical,keyCertSign,cRLSign", "-addext",
             "nameConstraints=critical," + constraints, "-out", "ca/ca-cert.pem"});
  };
}

Carried made_device(const std::string& id) {
  return carried_by(ImageOracle(fmt::format("out/{}.sdimg", id)));
}

std::string line_of(const std::string& certificate, const char* what) {
  return openssl({"x509", "-noout", what, "-nameopt", "RFC2253"}, certificate);
}

void expect_strictly_verified(const std::string& certificate) {
  const imprint::test::TempDir dir;
  const std::string file = dir.write("leaf.pem", certificate);
  openssl({"verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca/ca-cert.pem", file});
}

TEST(Identity, OfAnIdevidIsOnTheDevice) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  BatchFolder folder(Variant::empty_b, 2);
  identity(kIdevid)(folder);
  const CommandResult made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("warning: certificates are valid until 9999 (no expiry) "
                                  "and outlive their CA, which ends on 20"));
  const auto devices = read_csv("devices.csv");
  ASSERT_EQ(devices.size(), 2U);
  for (const auto& row : devices) {
    const std::string certificate = made_device(row.at("id")).certificate_pem;
    expect_strictly_verified(certificate);
    EXPECT_EQ(line_of(certificate, "-subject"),
              fmt::format("subject=serialNumber={},CN={}\n", row.at("serial"), row.at("id")));
    EXPECT_EQ(sql("out/ledger.db", fmt::format("SELECT subject FROM certificates WHERE serial = "
                                               "x'{}'",
                                               serial_of(certificate))),
              fmt::format("serialNumber={},CN={}", row.at("serial"), row.at("id")));
    EXPECT_EQ(line_of(certificate, "-enddate"), "notAfter=Dec 31 23:59:59 9999 GMT\n");
    const std::string text = openssl({"x509", "-noout", "-text"}, certificate);
    EXPECT_THAT(text, HasSubstr("X509v3 Key Usage: critical\n                Digital Signature\n"));
    EXPECT_THAT(text, HasSubstr("X509v3 Authority Key Identifier"));
    EXPECT_THAT(text, HasSubstr("othername: 1.3.6.1.5.5.7.8.4::<unsupported>\n"));
    EXPECT_THAT(text, Not(HasSubstr("Extended Key Usage")));
    EXPECT_THAT(text, Not(HasSubstr("Subject Key Identifier")));
    // SEQUENCE { 1.3.6.1.4.1.99999.1, OCTET STRING serial }, inside of the SAN.
    std::string serial_hex;
    for (const char c : row.at("serial"))
      serial_hex += fmt::format("{:02X}", static_cast<unsigned char>(c));
    EXPECT_THAT(openssl({"asn1parse"}, certificate),
                HasSubstr(fmt::format("06092B06010401868D1F0104{:02X}{}", serial_hex.size() / 2,
                                      serial_hex)));
  }
}

TEST(Identity, HasTheUsagesPoliciesAndTimesOfTheManifest) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  BatchFolder folder(Variant::empty_b, 1);
  identity({{"key_usage", {"digitalSignature", "contentCommitment"}},
            {"extended_key_usage", {"clientAuth", "1.3.6.1.4.1.99999.5"}},
            {"policies", {"1.3.6.1.4.1.99999.7"}},
            {"basic_constraints", false},
            {"subject_key_identifier", false},
            {"days", nullptr},
            {"not_before", "-2d"},
            {"not_after", "2034-05-06"},
            {"outlives_ca", "truncate"}})(folder);
  const CommandResult made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const std::string certificate = made_device("unit-1").certificate_pem;
  expect_strictly_verified(certificate);
  const std::string text = openssl({"x509", "-noout", "-text"}, certificate);
  EXPECT_THAT(text, HasSubstr("Digital Signature, Non Repudiation\n"));
  EXPECT_THAT(text, HasSubstr("TLS Web Client Authentication, 1.3.6.1.4.1.99999.5\n"));
  EXPECT_THAT(text, HasSubstr("Policy: 1.3.6.1.4.1.99999.7\n"));
  EXPECT_THAT(text, Not(HasSubstr("Basic Constraints")));
  EXPECT_THAT(text, Not(HasSubstr("Subject Key Identifier")));
  EXPECT_EQ(line_of(certificate, "-enddate"), "notAfter=May  6 23:59:59 2034 GMT\n");
  EXPECT_EQ(line_of(certificate, "-startdate"),
            openssl({"x509", "-noout", "-startdate", "-in", "ca/ca-cert.pem"}))
      << "cut to the CA's, which was made just now";
  EXPECT_THAT(made.err, HasSubstr("certificates begin with their CA on "));
}

TEST(Identity, IsTheSameForInject) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  BatchFolder folder(Variant::empty_b, 1);
  identity(kIdevid)(folder);
  const CommandResult made =
      imprint({"inject", "base.sdimg", "--id", "unit-9", "--set", "serial=SN-9", "--set", "psk=x",
               "--manifest", "manifest.json", "--output", "nine.sdimg"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("outlive their CA"));
  const std::string certificate = carried_by(ImageOracle("nine.sdimg")).certificate_pem;
  expect_strictly_verified(certificate);
  EXPECT_EQ(line_of(certificate, "-subject"), "subject=serialNumber=SN-9,CN=unit-9\n");
  EXPECT_EQ(line_of(certificate, "-enddate"), "notAfter=Dec 31 23:59:59 9999 GMT\n");
}

TEST(Identity, IsShownByThePlan) {
  IMPRINT_NEED_IMAGES();
  BatchFolder folder(Variant::empty_b, 2);
  identity(kIdevid)(folder);
  const CommandResult shown = imprint({"batch", "manifest.json", "--dry-run"});
  ASSERT_EQ(shown.status, 0) << shown.err;
  for (const char* line :
       {"profile      idevid\n", "subject      CN={id}, serialNumber={serial}\n",
        "name         hardwareModuleName:1.3.6.1.4.1.99999.1;{serial}\n",
        "extension    basicConstraints (critical): no CA\n",
        "extension    keyUsage (critical): digitalSignature\n",
        "extension    authorityKeyIdentifier\n",
        "extension    subjectAltName: hardwareModuleName\n", " to 9999-12-31T23:59:59Z\n"}) {
    EXPECT_THAT(shown.out, HasSubstr(line));
  }
  const CommandResult record = imprint({"batch", "manifest.json", "--dry-run", "--json"});
  const Json plan = Json::parse(record.out)["plan"];
  EXPECT_EQ(plan["profile"], "idevid");
  EXPECT_EQ(plan["subject"], Json({"CN={id}", "serialNumber={serial}"}));
  EXPECT_EQ(plan["alt_names"], Json({"hardwareModuleName:1.3.6.1.4.1.99999.1;{serial}"}));
  EXPECT_EQ(plan["extensions"][1], "keyUsage (critical): digitalSignature");
}

TEST(BadIdentity, IsRefusedBeforeTheFirstKey) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"purpose", identity({{"extended_key_usage", {"serverAuth"}}}),
       "manifest.json: /identity/extended_key_usage: lacks 'clientAuth', and servers refuse such a "
       "client; add it, or give [] for a certificate without extendedKeyUsage"},
      {"key usage of a CA", identity({{"key_usage", {"keyCertSign"}}}),
       "manifest.json: /identity/key_usage/0: 'keyCertSign' is for CAs: strict verifiers refuse it "
       "in a certificate that is none (RFC 5280 4.2.1.3); leave it out"},
      {"two ends", identity({{"not_after", "2034-01-01"}}),
       "manifest.json: /identity: 'days' and 'not_after' both say when the certificates end; give "
       "one of them"},
      {"names the CA forbids", constrained_ca("permitted;DNS:devices.example.org"),
       "devices.csv:2: the CA 'CN=Test CA' does not allow the names of this device: permitted "
       "subtree violation (its nameConstraints, RFC 5280 4.2.1.10); change the subject or the SAN, "
       "or use another CA"},
      {"a name the CA forbids", constrained_ca("excluded;DNS:unit-3.devices.example.com"),
       "devices.csv:4: the CA 'CN=Test CA' does not allow the names of this device: excluded "
       "subtree violation (its nameConstraints, RFC 5280 4.2.1.10); change the subject or the SAN, "
       "or use another CA"},
  });
}

/// One line that begins and ends like this, with times between that the test cannot know.
void expect_refused(const Json& patch, const std::string& message) {
  BatchFolder folder(Variant::empty_b, 1);
  identity(patch)(folder);
  const auto before = listing(".");
  const CommandResult result = imprint({"batch", "manifest.json"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err,
              testing::MatchesRegex("imprint: error: manifest.json: /identity/" + message + "\n"));
  EXPECT_EQ(listing("."), before);
}

TEST(BadIdentity, OutsideTheTimeOfItsCaIsRefused) {
  IMPRINT_NEED_IMAGES();
  const std::string time = "20[0-9-]+T[0-9:]+Z";
  expect_refused({{"not_before", "-1h"}},
                 fmt::format("not_before: a certificate from {0} would begin before its CA, "
                             "which begins on {0}; before that nobody can verify it: begin later, "
                             "or say \"outlives_ca\": \"truncate\" to begin with the CA",
                             time));
  expect_refused({{"days", nullptr}, {"not_after", "99991231235959Z"}},
                 fmt::format("not_after: a certificate until 9999 .no expiry. would outlive "
                             "its CA, which ends on {0}; end by {0}, or use a CA that lasts longer",
                             time));
  expect_refused({{"days", nullptr},
                  {"not_before", "2020-01-01"},
                  {"not_after", "2021-01-01"},
                  {"outlives_ca", "permit"}},
                 fmt::format("not_after: a certificate until 2021-01-01T23:59:59Z has ended "
                             "already .now it is {}.",
                             time));
  expect_refused({{"not_before", "2090-01-01"}},
                 fmt::format("not_before: a certificate from 2090-01-01T00:00:00Z would "
                             "begin after its CA has ended, on {}; begin earlier, or use a CA that "
                             "lasts longer",
                             time));
}

}  // namespace
}  // namespace imprint::cli::test
