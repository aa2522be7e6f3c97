// `ca issue-device`, `ca issue-server` and `ca show`, by the judgement of openssl, certtool and
// sqlite3.

#include <filesystem>

#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/base/clock.hpp"
#include "support/command.hpp"
#include "support/fault.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::TempDir;
using testing::HasSubstr;

/// A root and an issuing CA below it, in the working directory.
class CaIssue : public testing::Test {
 protected:
  CaIssue() : before_(fs::current_path()) {
    fs::current_path(dir_.path());
    ok({"ca", "init", "root", "--cn", "Test Root"});
    ok({"ca", "init", "ca", "--cn", "Test Issuing", "--parent", "root"});
  }

  ~CaIssue() override { fs::current_path(before_); }

  static CommandResult ok(const std::vector<std::string>& arguments) {
    CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
    return result;
  }

  static void refused(const std::vector<std::string>& arguments, const std::string& message,
                      int status = 2) {
    const auto before = listing(".");
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.err, "imprint: error: " + message + "\n");
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(listing("."), before);
  }

  static std::string openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const CommandResult result = run_command(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.out << result.err;
    return result.out;
  }

  static void make_key(const std::string& name, const std::vector<std::string>& kind) {
    std::vector<std::string> arguments = {"genpkey", "-out", name + ".key"};
    arguments.insert(arguments.end(), kind.begin(), kind.end());
    openssl(arguments);
    openssl({"pkey", "-in", name + ".key", "-pubout", "-out", name + ".pub"});
    openssl(
        {"req", "-new", "-key", name + ".key", "-subj", "/CN=wish/O=Evil", "-out", name + ".csr"});
  }

  static void expect_verifies(const std::string& certificate, const std::string& purpose) {
    openssl(
        {"verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca/chain.pem", certificate});
  }

  TempDir dir_;
  fs::path before_;
};

const std::vector<std::string> kP256 = {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"};
const std::vector<std::string> kRsa = {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"};
const std::vector<std::string> kEd25519 = {"-algorithm", "ED25519"};

TEST_F(CaIssue, ADeviceGetsKeyAndCertificate) {
  const auto made = ok({"ca", "issue-device", "ca", "--id", "unit-7", "--output", "out", "--json"});
  const Json record = Json::parse(made.out);
  EXPECT_EQ(record["certificate"], "out/unit-7.crt");
  EXPECT_EQ(record["key"], "out/unit-7.key");
  EXPECT_EQ(record["subject"], "CN=unit-7");
  expect_verifies("out/unit-7.crt", "sslclient");
  EXPECT_EQ(openssl({"x509", "-in", "out/unit-7.crt", "-noout", "-pubkey"}),
            openssl({"pkey", "-in", "out/unit-7.key", "-pubout"}));
  EXPECT_EQ(fs::status("out/unit-7.key").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  // One leaf, without a chain: that is all a client sends.
  EXPECT_EQ(slurp("out/unit-7.crt").find("BEGIN CERT"),
            slurp("out/unit-7.crt").rfind("BEGIN CERT"));
  EXPECT_EQ(sql("ca/ledger.db", "SELECT device_id, state, serial FROM devices"),
            "unit-7|placed|" + record["serial"].get<std::string>());
  EXPECT_EQ(sql("ca/ledger.db", "SELECT command, exit_status FROM runs"), "ca issue-device|0");
}

TEST_F(CaIssue, AGivenKeyIsCertifiedAsItIs) {
  int number = 0;
  for (const auto& kind : {kP256, kRsa, kEd25519}) {
    for (const auto& [option, extension] :
         {std::pair("--public-key", ".pub"), std::pair("--csr", ".csr")}) {
      const std::string id = "unit-" + std::to_string(++number);
      make_key(id, kind);
      ok({"ca", "issue-device", "ca", "--id", id, option, id + extension, "--output", "out"});
      const std::string certificate = "out/" + id + ".crt";
      expect_verifies(certificate, "sslclient");
      EXPECT_EQ(openssl({"x509", "-in", certificate, "-noout", "-pubkey"}), slurp(id + ".pub"));
      // The names in a request are wishes.
      EXPECT_EQ(openssl({"x509", "-in", certificate, "-noout", "-subject"}),
                "subject=CN = " + id + "\n");
      EXPECT_FALSE(fs::exists("out/" + id + ".key"));
    }
  }
}

TEST_F(CaIssue, KeysInDerAreReadToo) {
  make_key("k", kP256);
  openssl({"pkey", "-in", "k.key", "-pubout", "-outform", "DER", "-out", "k.pub.der"});
  make_key("r", kEd25519);
  openssl({"req", "-in", "r.csr", "-outform", "DER", "-out", "r.csr.der"});
  ok({"ca", "issue-device", "ca", "--id", "k", "--public-key", "k.pub.der", "--output", "out"});
  ok({"ca", "issue-device", "ca", "--id", "r", "--csr", "r.csr.der", "--output", "out"});
  expect_verifies("out/k.crt", "sslclient");
  expect_verifies("out/r.crt", "sslclient");
}

TEST_F(CaIssue, AManifestSaysWhatTheCertificateIsLike) {
  dir_.write("manifest.json", R"({"version": 1, "image": "none.img",
    "authority": {"certificate": "ca/ca-cert.pem", "key": "ca/ca-private.key"},
    "identity": {"key": "ed25519", "subject": {"CN": "{id}.example.com", "O": "Org"},
                 "san": ["URI:urn:serial:{serial}"], "days": 30},
    "devices": [{"id": "x"}]})");
  ok({"ca", "issue-device", "ca", "--id", "unit-1", "--manifest", "manifest.json", "--set",
      "serial=SN1", "--output", "out"});
  const std::string text = openssl({"x509", "-in", "out/unit-1.crt", "-noout", "-text"});
  EXPECT_THAT(text, HasSubstr("Subject: CN = unit-1.example.com, O = Org"));
  EXPECT_THAT(text, HasSubstr("URI:urn:serial:SN1"));
  EXPECT_THAT(text, HasSubstr("Public Key Algorithm: ED25519"));
}

TEST_F(CaIssue, BadKeysAreRefused) {
  make_key("k", kP256);
  const std::vector<std::string> issue = {"ca", "issue-device", "ca", "--id", "u"};
  const auto with = [&](const std::string& option, const std::string& file) {
    std::vector<std::string> arguments = issue;
    arguments.insert(arguments.end(), {option, file});
    return arguments;
  };
  refused(with("--public-key", "k.key"),
          "'k.key': holds a private key, which has to stay where it is; give its public half "
          "(openssl pkey -pubout)");
  refused(with("--public-key", "ca/ca-cert.pem"),
          "'ca/ca-cert.pem': holds no public key and no certificate request, but a 'CERTIFICATE'");
  dir_.write("empty", "");
  refused(with("--csr", "empty"), "'empty': is empty, no public key");
  dir_.write("text", "hello\n");
  refused(with("--csr", "text"),
          "'text': is neither a public key nor a certificate request, in PEM or DER");
  EXPECT_THAT(imprint(with("--csr", "absent")).err, HasSubstr("'absent'"));

  // A request whose signature does not fit: another one's key would be certified.
  std::string der = openssl({"req", "-in", "k.csr", "-outform", "DER"});
  der.back() = static_cast<char>(der.back() ^ 1);
  dir_.write("forged.csr", der);
  refused(with("--csr", "forged.csr"),
          "'forged.csr': the certificate request's own signature does not verify, so nothing shows "
          "that whoever made it holds the private key; have it made again");

  openssl({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", "w.key"});
  openssl({"pkey", "-in", "w.key", "-pubout", "-out", "weak.pub"});
  refused(
      with("--public-key", "weak.pub"),
      "'weak.pub': RSA with 1024 bits is not supported; known are ec:P-256, ec:P-384, ec:P-521, "
      "rsa:2048, rsa:3072, rsa:4096, ed25519");
  openssl({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt",
           "rsa_keygen_pubexp:3", "-out", "e.key"});
  openssl({"pkey", "-in", "e.key", "-pubout", "-out", "e3.pub"});
  refused(with("--public-key", "e3.pub"),
          "'e3.pub': an RSA key whose public exponent is not 65537; make another key");
}

TEST_F(CaIssue, TheKeyOfACaIsNoDevices) {
  for (const std::string ca : {"ca", "root"}) {
    openssl({"pkey", "-in", ca + "/ca-private.key", "-pubout", "-out", ca + ".pub"});
    const std::string refusal = "'" + ca +
                                ".pub': it is the key of the CA itself, or of one above it; give "
                                "that of the device or server";
    refused({"ca", "issue-device", "ca", "--id", "u", "--public-key", ca + ".pub"}, refusal);
    refused({"ca", "issue-server", "ca", "--cn", "a.example", "--public-key", ca + ".pub"},
            refusal);
  }
}

TEST_F(CaIssue, AKeyServesOneCertificate) {
  make_key("k", kP256);
  ok({"ca", "issue-device", "ca", "--id", "first", "--public-key", "k.pub", "--output", "out"});
  const std::string serial = sql("ca/ledger.db", "SELECT serial FROM devices");
  const CommandResult again =
      imprint({"ca", "issue-device", "ca", "--id", "second", "--csr", "k.csr", "--output", "out"});
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(again.err, "imprint: error: the key was certified before, for 'first' (serial " +
                           serial +
                           ", ledger 'ca/ledger.db'); a key serves one certificate: make a new "
                           "one\n");
  EXPECT_FALSE(fs::exists("out/second.crt"));
}

TEST_F(CaIssue, NothingIsOverwritten) {
  ok({"ca", "issue-device", "ca", "--id", "u", "--output", "out"});
  const std::vector<std::string> again = {"ca", "issue-device", "ca", "--id",
                                          "u",  "--output",     "out"};
  refused(again,
          "'out/u.crt' exists and is not overwritten; move it away, or choose another "
          "folder with --output");
  fs::remove("out/u.crt");
  refused(again,
          "'out/u.key' exists and is not overwritten; move it away, or choose another "
          "folder with --output");
}

// Whichever call that changes the disk fails: no file is left, the ledger says that the certificate
// is in none, and the same command works afterwards.
TEST_F(CaIssue, AFailingCallLeavesNoFiles) {
  const std::vector<std::string> issue = {"ca", "issue-device", "ca", "--id",
                                          "u",  "--output",     "out"};
  ok({"ca", "issue-device", "ca", "--id", "before", "--output", "before"});
  int failures = 0;
  for (int n = 1;; ++n) {
    {
      const imprint::test::FailNth fault(n, ENOSPC);
      const CommandResult result = imprint(issue);
      if (!fault.fired()) {
        EXPECT_EQ(result.status, 0) << result.err;
        break;
      }
      ASSERT_EQ(result.status, 4) << "call " << n << ": " << result.err;
      EXPECT_THAT(result.err, HasSubstr("No space left on device"));
      ++failures;
    }
    EXPECT_FALSE(fs::exists("out")) << "after failing call " << n;
    EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices WHERE state <> 'failed'"), "1")
        << "after failing call " << n;
  }
  EXPECT_GE(failures, 6) << "a folder, two files written and synced, the folder synced";
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices WHERE state = 'placed'"), "2");
}

TEST_F(CaIssue, BadArgumentsAreRefused) {
  refused({"ca", "issue-device", "ca", "--id", "-x"},
          "--id '-x': it cannot start with a dot or dash");
  refused({"ca", "issue-device", "ca", "--id", "x", "--key", "rsa:512"},
          "--key: 'rsa:512' is no key kind; known are ec:P-256, ec:P-384, ec:P-521, rsa:2048, "
          "rsa:3072, rsa:4096, ed25519");
  refused({"ca", "issue-device", "nowhere", "--id", "x"},
          "'nowhere' is no folder; name a CA's folder");
  fs::create_directory("half");
  fs::copy_file("ca/ca-cert.pem", "half/ca-cert.pem");
  refused({"ca", "issue-device", "half", "--id", "x"},
          "the CA 'half/ca-cert.pem' has no key 'half/ca-private.key'; put it there, or write "
          "'half/authority.json' to say where it is");
  refused({"ca", "issue-device", "ca", "--id", "x", "--set", "serial=1"},
          "--set requires --manifest (see 'imprint ca issue-device --help')");
  refused({"ca", "issue-device", "ca", "--id", "x", "--days", "0"},
          "--days: a certificate for 0 days is never valid; give at least 1");
}

TEST_F(CaIssue, AServerIsVerifiedByItsNames) {
  const auto made = ok({"ca", "issue-server", "ca", "--cn", "mtls.example.com", "--san",
                        "DNS:*.example.com", "--san", "192.0.2.7", "--output", "out", "--json"});
  EXPECT_EQ(Json::parse(made.out)["certificate"], "out/mtls.example.com.crt");
  const std::string certificate = "out/mtls.example.com.crt";
  expect_verifies(certificate, "sslserver");
  for (const char* const name : {"mtls.example.com", "other.example.com"}) {
    openssl({"verify", "-CAfile", "ca/chain.pem", "-verify_hostname", name, certificate});
  }
  openssl({"verify", "-CAfile", "ca/chain.pem", "-verify_ip", "192.0.2.7", certificate});
  const std::string text = openssl({"x509", "-in", certificate, "-noout", "-text"});
  EXPECT_THAT(text, HasSubstr("TLS Web Server Authentication"));
  EXPECT_EQ(text.find("TLS Web Client Authentication"), std::string::npos);
  EXPECT_THAT(text, HasSubstr("DNS:mtls.example.com, DNS:*.example.com, IP Address:192.0.2.7"));
  // What the server sends along: the issuing CA, not the root.
  EXPECT_EQ(slurp(certificate).substr(slurp(certificate).rfind("-----BEGIN")),
            slurp("ca/ca-cert.pem"));
  const std::string dates =
      openssl({"x509", "-in", certificate, "-noout", "-checkend", std::to_string(729L * 86400)});
  EXPECT_THAT(dates, HasSubstr("will not expire"));
  EXPECT_EQ(sql("ca/ledger.db", "SELECT device_id, state, purpose FROM devices"),
            "mtls.example.com|placed|server");
}

TEST_F(CaIssue, AServerNeedsANameThatClientsCanCheck) {
  refused({"ca", "issue-server", "ca", "--cn", "My Server"},
          "--cn 'My Server' is neither a host name nor an address, and clients find a server by "
          "these alone; give --san DNS:NAME or IP:ADDRESS");
  refused({"ca", "issue-server", "ca", "--cn", "a.example", "--san", "URI:urn:x"},
          "--san 'URI:urn:x': a server is known by DNS: and IP: names");
  refused({"ca", "issue-server", "ca", "--cn", "a.example", "--san", "IP:300.1.1.1"},
          "--san 'IP:300.1.1.1': '300.1.1.1' is no IP address; write it like 192.0.2.1 or "
          "2001:db8::1");
  refused({"ca", "issue-server", "ca", "--cn", "*.de"},
          "--cn: '*.de' is a wildcard over a single label, which clients refuse; give two labels "
          "at least after it, like *.example.com");
}

TEST_F(CaIssue, ShowSaysWhatTheCaIs) {
  ok({"ca", "issue-device", "ca", "--id", "u", "--output", "out"});
  const Json shown = Json::parse(ok({"ca", "show", "ca", "--json"}).out);
  EXPECT_EQ(shown["certificate"]["subject"], "CN=Test Issuing");
  EXPECT_EQ(shown["certificate"]["issuer"], "CN=Test Root");
  EXPECT_EQ(shown["certificate"]["path_length"], 0);
  ASSERT_EQ(shown["chain"].size(), 1U);
  EXPECT_EQ(shown["chain"][0]["subject"], "CN=Test Root");
  EXPECT_EQ(shown["key"]["location"], "ca/ca-private.key");
  EXPECT_EQ(shown["key"]["state"], "not encrypted");
  EXPECT_TRUE(shown["problems"].empty());
  EXPECT_EQ(shown["issued"]["placed"], 1);
  EXPECT_EQ(shown["revoked"], 0);
  EXPECT_TRUE(shown["next_crl"].is_null());
  ok({"ca", "revoke", "ca", "--id", "u"});
  ok({"ca", "crl", "ca", "--output", "crl.pem", "--days", "7"});
  const Json after = Json::parse(ok({"ca", "show", "ca", "--json"}).out);
  EXPECT_EQ(after["revoked"], 1);
  EXPECT_GT(after["next_crl"].get<std::string>(), to_rfc3339(system_clock().now()));
  EXPECT_THAT(ok({"ca", "show", "ca"}).out, HasSubstr("issued       1 placed; 1 revoked\n"));
  const std::string text = ok({"ca", "show", "root"}).out;
  EXPECT_THAT(text, HasSubstr("subject      CN=Test Root\n"));
  EXPECT_THAT(text, HasSubstr("kind         root\n"));
}

TEST_F(CaIssue, ShowAsksForNoPassphraseAndNamesProblems) {
  dir_.write("pass", "secret\n");
  fs::permissions("pass", fs::perms::owner_read | fs::perms::owner_write);
  ok({"ca", "init", "sealed", "--passphrase", "file:pass"});
  EXPECT_EQ(Json::parse(ok({"ca", "show", "sealed", "--json"}).out)["key"]["state"], "encrypted");
  // A folder whose certificate is a device's.
  ok({"ca", "issue-device", "ca", "--id", "u", "--output", "out"});
  fs::copy_file("out/u.crt", "sealed/ca-cert.pem", fs::copy_options::overwrite_existing);
  fs::remove("sealed/chain.pem");
  const Json shown = Json::parse(ok({"ca", "show", "sealed", "--json"}).out);
  ASSERT_EQ(shown["problems"].size(), 1U);
  EXPECT_THAT(shown["problems"][0].get<std::string>(),
              HasSubstr("the certificate is no CA certificate"));
}

TEST_F(CaIssue, AnInjectTakesAnyCasFolder) {
  IMPRINT_NEED_IMAGES();
  fs::create_directories("pki/private");
  fs::copy_file("ca/ca-cert.pem", "pki/ca.crt");
  fs::copy_file("ca/ca-private.key", "pki/private/ca.key");
  fs::copy_file(base_image(Variant::empty_b), "own.img");
  ok({"inject", "own.img", "--id", "unit-1", "--ca", "pki"});
  EXPECT_EQ(sql("pki/ledger.db", "SELECT device_id, state FROM devices"), "unit-1|placed");
}

}  // namespace
}  // namespace imprint::cli::test
