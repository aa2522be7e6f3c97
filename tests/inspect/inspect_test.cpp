#include "imprint/inspect/inspect.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/image_oracle.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::inspect {
namespace {

using std::string_literals::operator""s;
using test::FailsWith;
using test::IsOk;
using test::openssl;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const TimePoint kNow = from_date("2030-06-01").value();

std::string fact(const Entry& entry, std::string_view label) {
  for (const Fact& fact : entry.facts) {
    if (fact.label == label) return fact.text;
  }
  return "(none)";
}

/// Files that OpenSSL has made: a CA, a server below it, a device below it, and odd ones.
class InspectTest : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("openssl");
    ca_ = certificate("ca", {"-subj", "/CN=Test CA", "-addext", "keyUsage=critical,keyCertSign"});
  }

  fs::path at(std::string_view name) const { return dir_ / name; }

  /// A self-signed one, or below the CA with `-CA`; valid from 2026 to 2036 unless said otherwise.
  fs::path certificate(const std::string& name, std::vector<std::string> arguments) {
    std::vector<std::string> all = {"req",
                                    "-x509",
                                    "-newkey",
                                    "ec",
                                    "-pkeyopt",
                                    "ec_paramgen_curve:P-256",
                                    "-nodes",
                                    "-days",
                                    "36500",
                                    "-keyout",
                                    at(name + ".key"),
                                    "-out",
                                    at(name + ".crt")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    openssl(all);
    return at(name + ".crt");
  }

  fs::path below_ca(const std::string& name, const std::string& purpose,
                    const std::string& names = "") {
    openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
             at(name + ".key"), "-out", at(name + ".csr"), "-subj", "/CN=" + name});
    std::string extensions = "extendedKeyUsage=" + purpose + "\n";
    if (!names.empty()) extensions += "subjectAltName=" + names + "\n";
    openssl({"x509", "-req", "-in", at(name + ".csr"), "-CA", ca_, "-CAkey", at("ca.key"),
             "-CAcreateserial", "-days", "3000", "-out", at(name + ".crt"), "-extfile",
             dir_.write(name + ".ext", extensions)});
    return at(name + ".crt");
  }

  static Result<std::vector<Entry>> look(const std::vector<fs::path>& places) {
    return look_at(places, {.now = kNow, .open_image = [](const fs::path& image) {
                              return files::ImageView::open(image, {}, {});
                            }});
  }

  /// One entry, or a failure.
  static Entry only(const fs::path& place) {
    auto entries = look({place});
    EXPECT_THAT(entries, IsOk());
    if (!entries || entries->size() != 1) {
      ADD_FAILURE() << place << " has not one entry";
      return {};
    }
    return entries->front();
  }

  TempDir dir_;
  fs::path ca_;
};

TEST_F(InspectTest, SaysWhatACertificateIsAndWhoSignedIt) {
  const fs::path server = below_ca("edge.example", "serverAuth", "DNS:edge.example,IP:192.0.2.7");
  const auto entries = look({server, ca_});
  ASSERT_THAT(entries, IsOk());
  ASSERT_EQ(entries->size(), 2U);
  const Entry& entry = entries->front();
  EXPECT_EQ(entry.kind, Kind::certificate);
  EXPECT_EQ(entry.name, "CN=edge.example");
  EXPECT_EQ(fact(entry, "is"), "TLS server");
  EXPECT_EQ(fact(entry, "names"), "DNS:edge.example, IP:192.0.2.7");
  EXPECT_EQ(fact(entry, "signed by"), "CN=Test CA (" + ca_.string() + ")");
  EXPECT_EQ(fact(entry, "key"), "ec:P-256");
  EXPECT_EQ("serial=" + fact(entry, "serial") + "\n", [&] {
    std::string text = openssl({"x509", "-noout", "-serial", "-in", server});
    std::ranges::transform(text, text.begin(), [](char c) { return std::tolower(c); });
    return text;
  }());
  std::string digest = openssl({"x509", "-noout", "-fingerprint", "-sha256", "-in", server});
  std::erase(digest, ':');
  std::ranges::transform(digest, digest.begin(), [](char c) { return std::tolower(c); });
  EXPECT_THAT(digest, HasSubstr(fact(entry, "sha256")));
  EXPECT_THAT(entry.warnings, IsEmpty());
  EXPECT_EQ(fact(entries->back(), "is"), "root CA");
  EXPECT_EQ(fact(entries->back(), "signed by"), "itself");
}

TEST_F(InspectTest, ACaThatIsNotThereIsNamed) {
  const Entry entry = only(below_ca("unit-1", "clientAuth"));
  EXPECT_EQ(fact(entry, "is"), "TLS client, as a device is");
  EXPECT_EQ(fact(entry, "signed by"), "CN=Test CA (not here)");
}

TEST_F(InspectTest, ACopyIsToldOnce) {
  const fs::path bundle =
      dir_.write("bundle.pem", openssl({"x509", "-in", ca_}) +
                                   openssl({"x509", "-in", below_ca("u", "clientAuth")}));
  const auto entries = look({ca_, bundle});
  ASSERT_THAT(entries, IsOk());
  ASSERT_EQ(entries->size(), 3U);
  EXPECT_EQ((*entries)[1].place, bundle.string() + " (1 of 2)");
  EXPECT_EQ(fact((*entries)[1], "the same as"), ca_.string());
  EXPECT_FALSE((*entries)[1].ends);
  EXPECT_EQ((*entries)[2].place, bundle.string() + " (2 of 2)");
}

TEST_F(InspectTest, FindsWhatBelongsTogether) {
  const fs::path device = below_ca("unit-1", "clientAuth");
  openssl({"ec", "-in", at("unit-1.key"), "-pubout", "-out", at("unit-1.pub")});
  const auto entries = look({device, at("unit-1.key"), at("unit-1.pub"), at("unit-1.csr")});
  ASSERT_THAT(entries, IsOk());
  ASSERT_EQ(entries->size(), 4U);
  EXPECT_EQ(fact((*entries)[0], "private key"), at("unit-1.key").string());
  EXPECT_EQ(fact((*entries)[1], "belongs to"), device.string());
  EXPECT_EQ((*entries)[2].kind, Kind::public_key);
  EXPECT_EQ(fact((*entries)[2], "certificate"), device.string());
  EXPECT_EQ((*entries)[3].kind, Kind::request);
  EXPECT_EQ((*entries)[3].name, "CN=unit-1");
  EXPECT_EQ(fact((*entries)[3], "private key"), at("unit-1.key").string());
}

TEST_F(InspectTest, KnowsTheFormsOfPrivateKeys) {
  openssl({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", at("k")});
  openssl({"rsa", "-traditional", "-in", at("k"), "-out", at("pkcs1")});
  openssl({"pkey", "-in", at("k"), "-outform", "DER", "-out", at("der")});
  openssl({"ec", "-in", at("ca.key"), "-out", at("sec1")});
  openssl({"pkcs8", "-topk8", "-in", at("k"), "-passout", "pass:x", "-out", at("sealed")});
  openssl({"rsa", "-traditional", "-aes128", "-in", at("k"), "-passout", "pass:x", "-out",
           at("sealed1")});
  openssl({"ecparam", "-name", "brainpoolP256r1", "-genkey", "-out", at("brainpool")});
  const auto form = [this](const char* name) {
    const Entry entry = only(at(name));
    EXPECT_EQ(entry.kind, Kind::private_key) << name;
    return entry.name + ": " + fact(entry, "form");
  };
  EXPECT_EQ(form("k"), "rsa:2048: PKCS#8");
  EXPECT_EQ(form("pkcs1"), "rsa:2048: PKCS#1");
  EXPECT_EQ(form("der"), "rsa:2048: DER");
  EXPECT_EQ(form("sec1"), "ec:P-256: SEC1");
  EXPECT_EQ(form("sealed"), "encrypted: encrypted PKCS#8");
  EXPECT_EQ(form("sealed1"), "encrypted: encrypted PKCS#1");
  EXPECT_EQ(form("brainpool"), "of a kind or size that devices do not use: SEC1");
}

TEST_F(InspectTest, ShowsNoSecret) {
  const std::string secret = openssl({"pkey", "-in", at("ca.key"), "-noout", "-text"});
  const Entry entry = only(at("ca.key"));
  for (const Fact& fact : entry.facts) {
    EXPECT_EQ(fact.text.find("BEGIN"), std::string::npos);
    EXPECT_TRUE(fact.text.size() < 20 || secret.find(fact.text.substr(0, 16)) == std::string::npos);
  }
}

TEST_F(InspectTest, WarnsOfAKeyThatOthersMayRead) {
  ASSERT_EQ(::chmod(at("ca.key").c_str(), 0644), 0);
  EXPECT_THAT(only(at("ca.key")).warnings,
              ElementsAre("others than its owner may use the file (mode 0644); chmod 600"));
}

TEST_F(InspectTest, WarnsOfAKeyAndACertificateThatWereMixedUp) {
  fs::create_directory(at("mixed"));
  fs::copy_file(below_ca("one", "clientAuth"), at("mixed/server.crt"));
  below_ca("two", "clientAuth");
  fs::copy_file(at("two.key"), at("mixed/server.key"));
  const auto entries = look({at("mixed")});
  ASSERT_THAT(entries, IsOk());
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_THAT(entries->back().warnings,
              ElementsAre("is the key of none of the certificates beside it"));
  EXPECT_EQ(fact(entries->back(), "belongs to"), "(none)");
}

TEST_F(InspectTest, WarnsOfCertificatesThatNobodyAccepts) {
  const auto warnings = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-subj", "/CN=odd"});
    return only(certificate("odd", std::move(arguments))).warnings;
  };
  EXPECT_THAT(warnings({"-days", "30"}), ElementsAre(HasSubstr("expired on 20")));
  EXPECT_THAT(warnings({"-addext", "extendedKeyUsage=serverAuth"}),
              ElementsAre("has no subjectAltName, and clients look for the server's name nowhere "
                          "else"));
  EXPECT_THAT(
      warnings({"-addext", "1.2.3.4=critical,DER:0500"}),
      ElementsAre("has the critical extension 1.2.3.4, because of which OpenSSL refuses it"));
}

TEST_F(InspectTest, ACertificateThatOutlivesItsCa) {
  ca_ = certificate(
      "ca", {"-subj", "/CN=Short", "-addext", "keyUsage=critical,keyCertSign", "-days", "2000"});
  const auto entries = look({below_ca("long", "clientAuth"), ca_});
  ASSERT_THAT(entries, IsOk());
  EXPECT_THAT(entries->front().warnings,
              ElementsAre(HasSubstr("outlives its CA, which ends on 20")));
}

TEST_F(InspectTest, ReadsRevocationLists) {
  dir_.write("index.txt", "");
  dir_.write("number", "2a\n");
  const fs::path config = dir_.write(
      "crl.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=" + at("index.txt").string() +
                     "\ncrlnumber=" + at("number").string() +
                     "\ndefault_md=sha256\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n");
  openssl({"ca", "-config", config, "-gencrl", "-cert", ca_, "-keyfile", at("ca.key"), "-crldays",
           "30", "-out", at("crl.pem")});
  openssl({"crl", "-in", at("crl.pem"), "-outform", "DER", "-out", at("crl.der")});
  const auto entries = look({at("crl.der"), ca_});
  ASSERT_THAT(entries, IsOk());
  const Entry& list = entries->front();
  EXPECT_EQ(list.kind, Kind::revocation_list);
  EXPECT_EQ(list.name, "0 revoked");
  EXPECT_EQ(fact(list, "number"), "2a");
  EXPECT_EQ(fact(list, "of"), "CN=Test CA (" + ca_.string() + ")");
  EXPECT_THAT(list.warnings,
              ElementsAre(HasSubstr("verifiers refuse every certificate of this CA")));
  EXPECT_EQ(only(at("crl.pem")).kind, Kind::revocation_list);
}

TEST_F(InspectTest, OneDamagedObjectDoesNotHideTheOthers) {
  std::string text = openssl({"x509", "-in", ca_});
  const std::string damaged = "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n";
  const auto entries = look({dir_.write("two.pem", damaged + text)});
  ASSERT_THAT(entries, IsOk());
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ(entries->front().kind, Kind::unknown);
  EXPECT_TRUE(entries->front().damaged);
  EXPECT_THAT(entries->front().warnings, ElementsAre(HasSubstr("damaged certificate")));
  EXPECT_EQ(entries->back().name, "CN=Test CA");
}

TEST_F(InspectTest, AnotherKindOfPemIsNoDamage) {
  const Entry entry = only(dir_.write("id",
                                      "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
                                      "-----END OPENSSH PRIVATE KEY-----\n"));
  EXPECT_FALSE(entry.damaged);
  EXPECT_EQ(fact(entry, "is"), "a PEM object of another kind");
}

TEST_F(InspectTest, WhatMayNotBeReadInAFolderDoesNotHideTheRest) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  ASSERT_EQ(::chmod(at("ca.key").c_str(), 0), 0);
  const auto entries = look({dir_.path()});
  ASSERT_THAT(entries, IsOk());
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ(entries->front().name, "CN=Test CA");
  EXPECT_EQ(entries->back().place, at("ca.key").string());
  EXPECT_THAT(fact(entries->back(), "because"), HasSubstr("Permission denied"));
}

TEST_F(InspectTest, AFolderWithoutAnythingIsRefused) {
  fs::create_directory(at("empty"));
  EXPECT_THAT(
      look({at("empty")}),
      FailsWith(Code::invalid_input,
                "'" + at("empty").string() +
                    "' has no file with a certificate, key or CRL; name images themselves"));
}

TEST_F(InspectTest, WhatIsNothingOfTheKindIsRefused) {
  const std::string name = dir_.write("notes.txt", "nothing here\n");
  EXPECT_THAT(look({name}),
              FailsWith(Code::invalid_input,
                        "'" + name + "' holds no certificate, key or CRL, and is no image: "));
  EXPECT_THAT(look({at("missing")}), FailsWith(Code::not_found, "missing"));
  const std::string ledger = dir_.write("ledger.db", "SQLite format 3\0 and so on"s);
  EXPECT_THAT(
      look({ledger}),
      FailsWith(Code::invalid_input,
                "'" + ledger + "' is a database; a ledger is shown by 'imprint ledger list'"));
}

}  // namespace
}  // namespace imprint::inspect
