// `ca revoke` and `ca crl`, by the judgement of openssl, certtool and sqlite3.

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/base/file.hpp"
#include "imprint/cli/cli.hpp"
#include "support/command.hpp"
#include "support/fault.hpp"
#include "support/in_memory.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::FailNth;
using imprint::test::TempDir;
using testing::HasSubstr;
using testing::Not;

IMPRINT_TEMPORARIES_IN_MEMORY();

/// A CA with three devices, in the working directory.
class RevocationCommands : public testing::Test {
 protected:
  RevocationCommands() : before_(fs::current_path()) {
    fs::current_path(dir_.path());
    ok({"ca", "init", "ca", "--cn", "Test CA"});
    for (const char* id : {"unit-1", "unit-2", "unit-3"})
      ok({"ca", "issue-device", "ca", "--id", id, "--output", "out"});
  }

  ~RevocationCommands() override { fs::current_path(before_); }

  static CommandResult ok(const std::vector<std::string>& arguments) {
    CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
    return result;
  }

  static void refused(const std::vector<std::string>& arguments, const std::string& message,
                      int status = 2) {
    const std::string revoked = sql("ca/ledger.db", "SELECT count(*) FROM revocations");
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.err, "imprint: error: " + message + "\n");
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM revocations"), revoked);
  }

  static std::string openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const CommandResult result = run_command(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.out << result.err;
    return result.out;
  }

  static void change(const std::string& statement) {
    EXPECT_EQ(sql("ca/ledger.db", statement), "");
  }

  static std::string serial(const std::string& id) {
    return sql("ca/ledger.db", "SELECT serial FROM devices WHERE device_id = '" + id + "'");
  }

  /// `openssl verify -crl_check` of a device.
  static CommandResult verify(const std::string& id, const std::string& crl = "crl.pem",
                              const std::string& ca = "ca/ca-cert.pem") {
    return run_command({"openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", ca,
                        "-CRLfile", crl, "out/" + id + ".crt"});
  }

  static std::string number(const std::string& crl) {
    return openssl({"crl", "-in", crl, "-noout", "-crlnumber"});
  }

  TempDir dir_;
  fs::path before_;
};

TEST_F(RevocationCommands, ARevokedDeviceIsRefusedByOpensslAndTheOthersAreNot) {
  const auto revoked = ok({"ca", "revoke", "ca", "--id", "unit-2", "--reason", "KeyCompromise"});
  EXPECT_EQ(revoked.err, "imprint: 'unit-2' serial " + serial("unit-2") +
                             ": revoked (keyCompromise)\n"
                             "imprint: verifiers learn of it by the next CRL or blacklist: imprint "
                             "ca crl\n");
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  EXPECT_EQ(verify("unit-1").status, 0) << verify("unit-1").err;
  EXPECT_EQ(verify("unit-3").status, 0);
  EXPECT_NE(verify("unit-2").status, 0);
  EXPECT_THAT(verify("unit-2").err, HasSubstr("certificate revoked"));
  EXPECT_THAT(openssl({"crl", "-in", "crl.pem", "-noout", "-text"}), HasSubstr("Key Compromise"));
  const auto crl =
      run_command({"openssl", "crl", "-in", "crl.pem", "-CAfile", "ca/ca-cert.pem", "-noout"});
  EXPECT_THAT(crl.err, HasSubstr("verify OK"));
  EXPECT_EQ(sql("ca/ledger.db", "SELECT command, exit_status FROM runs ORDER BY id DESC LIMIT 1"),
            "ca revoke|0");
  IMPRINT_NEED_COMMAND("certtool");
  EXPECT_THAT(run_command({"certtool", "--verify-crl", "--infile", "crl.pem",
                           "--load-ca-certificate", "ca/ca-cert.pem"})
                  .out,
              testing::AllOf(HasSubstr("Verified"), Not(HasSubstr("Not verified"))));
}

TEST_F(RevocationCommands, EveryKindOfCaSignsItsCrl) {
  for (const std::string kind : {"ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048", "ed25519"}) {
    const std::string ca = "ca-" + std::to_string(std::hash<std::string>()(kind));
    ok({"ca", "init", ca, "--cn", "Other CA", "--key", kind});
    ok({"ca", "issue-device", ca, "--id", "good", "--output", ca});
    ok({"ca", "issue-device", ca, "--id", "bad", "--output", ca});
    ok({"ca", "revoke", ca, "--id", "bad"});
    ok({"ca", "crl", ca, "--output", ca + "/crl.pem"});
    const auto judge = [&](const std::string& id) {
      return run_command({"openssl", "verify", "-x509_strict", "-crl_check", "-CAfile",
                          ca + "/ca-cert.pem", "-CRLfile", ca + "/crl.pem", ca + "/" + id + ".crt"})
          .status;
    };
    EXPECT_EQ(judge("good"), 0) << kind;
    EXPECT_NE(judge("bad"), 0) << kind;
  }
}

TEST_F(RevocationCommands, NamesAreTakenAsPeopleCopyThem) {
  std::string colons;
  const std::string digits = serial("unit-1");
  for (std::size_t i = 0; i < digits.size(); i += 2)
    colons += (i == 0 ? "" : ":") + digits.substr(i, 2);
  std::ranges::transform(colons, colons.begin(), [](char c) { return c == 'a' ? 'A' : c; });
  ok({"ca", "revoke", "ca", "--serial", colons, "--serial", digits});
  std::string fingerprint =
      openssl({"x509", "-in", "out/unit-2.crt", "-noout", "-fingerprint", "-sha256"});
  fingerprint = fingerprint.substr(fingerprint.find('=') + 1);
  fingerprint.pop_back();
  ok({"ca", "revoke", "ca", "--fingerprint", fingerprint, "--reason", "cessationofoperation"});
  EXPECT_EQ(sql("ca/ledger.db",
                "SELECT device_id, revoked_for FROM devices WHERE revoked_at IS NOT NULL"),
            "unit-1|unspecified\nunit-2|cessationOfOperation");
}

TEST_F(RevocationCommands, SeveralGoTogetherOrNotAtAll) {
  refused({"ca", "revoke", "ca", "--id", "unit-1", "--id", "unit-9"},
          "--id 'unit-9': the ledger 'ca/ledger.db' knows no such device; 'imprint ledger list' "
          "shows what it knows, and --ledger names another");
  refused({"ca", "revoke", "ca", "--id", "unit-1", "--serial", "4711"},
          "--serial '4711': the ledger 'ca/ledger.db' knows no such certificate; for one that was "
          "issued elsewhere, give its file with --certificate");
  EXPECT_EQ(Json::parse(
                ok({"ca", "revoke", "ca", "--id", "unit-1", "--serial", serial("unit-2"), "--json"})
                    .out)["certificates"]
                .size(),
            2U);
}

TEST_F(RevocationCommands, RevokedBeforeIsSaidAndNothingChanges) {
  ok({"ca", "revoke", "ca", "--id", "unit-1", "--reason", "superseded"});
  const std::string at = sql("ca/ledger.db", "SELECT revoked_at, reason, run FROM revocations");
  const std::string runs = sql("ca/ledger.db", "SELECT count(*) FROM runs");
  const auto again = ok({"ca", "revoke", "ca", "--id", "unit-1", "--reason", "keyCompromise"});
  EXPECT_THAT(again.err, HasSubstr(": was revoked before, on 20"));
  EXPECT_THAT(again.err, HasSubstr("(superseded)"));
  EXPECT_EQ(sql("ca/ledger.db", "SELECT revoked_at, reason, run FROM revocations"), at);
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM runs"), runs);
}

TEST_F(RevocationCommands, ADryRunWritesNothing) {
  const auto before = listing(".");
  const auto said = ok({"ca", "revoke", "ca", "--id", "unit-1", "--dry-run", "--json"});
  const Json record = Json::parse(said.out);
  EXPECT_EQ(record["dry_run"], true);
  EXPECT_EQ(record["certificates"][0]["id"], "unit-1");
  EXPECT_EQ(record["certificates"][0]["serial"], serial("unit-1"));
  EXPECT_EQ(record["certificates"][0]["revoked_before"], false);
  EXPECT_EQ(listing("."), before);
}

TEST_F(RevocationCommands, TheLatestCertificateOfADeviceUnlessAllAreAsked) {
  ok({"ca", "issue-device", "ca", "--id", "unit-1", "--output", "again"});
  const auto latest = ok({"ca", "revoke", "ca", "--id", "unit-1"});
  EXPECT_THAT(latest.err, HasSubstr("device 'unit-1' has 1 earlier certificate that is not "
                                    "revoked; --all revokes them too"));
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  EXPECT_EQ(verify("unit-1").status, 0);
  ok({"ca", "revoke", "ca", "--id", "unit-1", "--all"});
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  EXPECT_NE(verify("unit-1").status, 0);
}

TEST_F(RevocationCommands, WhatIsAskedBadlyIsRefused) {
  refused({"ca", "revoke", "ca"},
          "say what to revoke: --id, --serial, --fingerprint, --certificate or --superseded");
  refused({"ca", "revoke", "ca", "--all", "--serial", "01"},
          "--all says how much of a device; give its --id");
  refused({"ca", "revoke", "ca", "--id", "unit-1", "--reason", "keyCompromized"},
          "--reason: 'keyCompromized' is no reason; did you mean 'keyCompromise'?");
  refused({"ca", "revoke", "ca", "--serial", "xyz"}, "--serial 'xyz': write it in hexadecimal");
  refused({"ca", "revoke", "ca", "--serial", ""},
          "--serial: the value is empty; give one, or leave the option out (see 'imprint ca revoke "
          "--help')");
  refused({"ca", "revoke", "ca", "--serial", std::string(42, 'a')},
          "--serial '" + std::string(42, 'a') + "': a serial has 1 to 40 hexadecimal digits");
  refused({"ca", "revoke", "ca", "--fingerprint", std::string(40, 'a')},
          "--fingerprint '" + std::string(40, 'a') +
              "': it is the SHA-256 of the certificate, 64 hexadecimal digits");
  refused({"ca", "revoke", "ca", "--id", "unit-1", "--ledger", "none.db"},
          "there is no ledger 'none.db'; name it with --ledger (a batch writes it into its output "
          "folder)");
  refused({"ca", "crl", "ca", "--output", "crl.pem", "--ledger", "none.db"},
          "there is no ledger 'none.db'; name it with --ledger (a batch writes it into its output "
          "folder)");
  refused({"ca", "crl", "ca", "--output", "crl.pem", "--days", "0"},
          "--days 0: a CRL that is out of date when it is made is refused by verifiers; give at "
          "least 1");
  refused({"ca", "crl", "ca", "--output", "crl.pem", "--format", "xml"},
          "--format: 'xml' is no format; known are pem, der, blacklist");
  EXPECT_FALSE(fs::exists("none.db"));
  EXPECT_FALSE(fs::exists("crl.pem"));
}

TEST_F(RevocationCommands, RevokingNeedsNoKey) {
  fs::rename("ca/ca-private.key", "away.key");
  ok({"ca", "revoke", "ca", "--id", "unit-1"});
  EXPECT_EQ(ok({"ca", "crl", "ca", "--format", "blacklist", "--output", "-"}).out,
            serial("unit-1") + "\n");
  refused({"ca", "crl", "ca", "--output", "crl.pem"},
          "the CA 'ca/ca-cert.pem' has no key 'ca/ca-private.key'; put it there, or write "
          "'ca/authority.json' to say where it is");
}

TEST_F(RevocationCommands, OtherCasKeepTheirOwn) {
  ok({"ca", "init", "other", "--cn", "Other CA"});
  ok({"ca", "issue-device", "other", "--id", "foreign", "--output", "out", "--ledger",
      "ca/ledger.db"});
  refused({"ca", "revoke", "ca", "--id", "foreign"},
          "--id 'foreign': the certificate was issued by another CA than 'CN=Test CA'; name that "
          "CA's folder");
  ok({"ca", "revoke", "other", "--id", "foreign", "--ledger", "ca/ledger.db"});
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  EXPECT_THAT(openssl({"crl", "-in", "crl.pem", "-noout", "-text"}),
              HasSubstr("No Revoked Certificates"));
}

TEST_F(RevocationCommands, ARenewedCaKeepsItsRevocations) {
  ok({"ca", "revoke", "ca", "--id", "unit-1"});
  openssl({"x509", "-in", "ca/ca-cert.pem", "-signkey", "ca/ca-private.key", "-days", "9000",
           "-clrext", "-extfile",
           dir_.write("ext",
                      "basicConstraints=critical,CA:TRUE\n"
                      "keyUsage=critical,keyCertSign,cRLSign\n"
                      "subjectKeyIdentifier=hash\n"),
           "-out", "renewed.pem"});
  fs::rename("renewed.pem", "ca/ca-cert.pem");
  fs::remove("ca/chain.pem");
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  EXPECT_NE(verify("unit-1").status, 0);
  EXPECT_EQ(verify("unit-2").status, 0) << verify("unit-2").err;
}

TEST_F(RevocationCommands, CertificatesFromElsewhereAreRecordedByTheirSignature) {
  // The same CA has issued one with openssl, and another CA one that only claims to be its.
  openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
           "/CN=unit-1", "-keyout", "e.key", "-out", "e.csr"});
  openssl({"x509", "-req", "-in", "e.csr", "-CA", "ca/ca-cert.pem", "-CAkey", "ca/ca-private.key",
           "-set_serial", "0x0a", "-days", "10", "-out", "out/e.crt"});
  ok({"ca", "init", "false", "--cn", "Test CA"});
  ok({"ca", "issue-device", "false", "--id", "liar", "--output", "out"});
  refused({"ca", "revoke", "ca", "--certificate", "out/e.crt", "--certificate", "out/liar.crt"},
          "--certificate 'out/liar.crt': it was not issued by 'CN=Test CA'; name the folder of the "
          "CA that did");
  ok({"ca", "revoke", "ca", "--certificate", "out/e.crt", "--certificate", "out/e.crt"});
  EXPECT_EQ(sql("ca/ledger.db",
                "SELECT device_id, state, serial FROM devices WHERE device_id "
                "LIKE 'elsewhere%'"),
            "elsewhere/unit-1|lost|0a");
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM revocations"), "1");
  EXPECT_THAT(ok({"ca", "revoke", "ca", "--certificate", "out/e.crt"}).err,
              HasSubstr("was revoked before"));
  // The device of that name is as it was.
  EXPECT_EQ(sql("ca/ledger.db", "SELECT state FROM devices WHERE device_id = 'unit-1'"), "placed");
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  EXPECT_THAT(run_command({"openssl", "verify", "-crl_check", "-CAfile", "ca/ca-cert.pem",
                           "-CRLfile", "crl.pem", "out/e.crt"})
                  .err,
              HasSubstr("certificate revoked"));
  EXPECT_EQ(verify("unit-1").status, 0);
  // One that the ledger knows is that one.
  ok({"ca", "revoke", "ca", "--certificate", "out/unit-2.crt"});
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM certificates"), "4");
  refused({"ca", "revoke", "ca", "--certificate", "none.crt"},
          "--certificate: opening 'none.crt': No such file or directory");
}

TEST_F(RevocationCommands, ALedgerIsMadeForCertificatesFromElsewhere) {
  ok({"ca", "revoke", "ca", "--certificate", "out/unit-3.crt", "--ledger", "new.db"});
  ok({"ca", "crl", "ca", "--ledger", "new.db", "--output", "crl.pem"});
  EXPECT_NE(verify("unit-3").status, 0);
}

TEST_F(RevocationCommands, SupersededAndLostGoAtOnce) {
  change(
      "INSERT INTO outcomes (certificate, number, state, at) VALUES (1, 9, 'superseded', 0), (2, "
      "9, "
      "'lost', 0)");
  const auto before = ok({"ca", "revoke", "ca", "--superseded", "--dry-run"});
  EXPECT_THAT(before.err,
              HasSubstr("'unit-1' serial " + serial("unit-1") + ": would be revoked (superseded)"));
  ok({"ca", "revoke", "ca", "--superseded"});
  EXPECT_EQ(sql("ca/ledger.db", "SELECT device_id, revoked_for FROM devices"),
            "unit-1|superseded\nunit-2|superseded\nunit-3|");
  EXPECT_EQ(ok({"ca", "revoke", "ca", "--superseded"}).err, "imprint: 0 certificates revoked\n");
}

TEST_F(RevocationCommands, EachFormatIsWhatItsReaderWants) {
  ok({"ca", "revoke", "ca", "--id", "unit-1", "--id", "unit-3"});
  ok({"ca", "crl", "ca", "--output", "crl.der", "--format", "der"});
  EXPECT_EQ(openssl({"crl", "-inform", "DER", "-in", "crl.der", "-noout", "-issuer"}),
            "issuer=CN = Test CA\n");
  ok({"ca", "crl", "ca", "--output", "blacklist", "--format", "blacklist"});
  EXPECT_EQ(slurp("blacklist"), serial("unit-1") + "\n" + serial("unit-3") + "\n");
  const auto text = ok({"ca", "crl", "ca", "--output", "-"});
  EXPECT_TRUE(text.out.starts_with("-----BEGIN X509 CRL-----\n"));
  const auto record =
      Json::parse(ok({"ca", "crl", "ca", "--output", "crl.pem", "--days", "7", "--json"}).out);
  EXPECT_EQ(record["entries"], 2);
  EXPECT_EQ("crlNumber=0x" + fmt::format("{:X}", record["number"].get<std::uint64_t>()) + "\n",
            number("crl.pem"));
  EXPECT_EQ(fs::status("crl.pem").permissions(), fs::perms(0644));
}

TEST_F(RevocationCommands, NumbersRiseAlsoWithALedgerFromABackup) {
  fs::copy_file("ca/ledger.db", "backup.db");
  ok({"ca", "revoke", "ca", "--id", "unit-1"});
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  const std::string last = number("crl.pem");
  fs::copy_file("backup.db", "ca/ledger.db", fs::copy_options::overwrite_existing);
  const auto made = ok({"ca", "crl", "ca", "--output", "crl.pem"});
  EXPECT_THAT(made.err,
              HasSubstr("above all that this ledger knows of: the ledger may be an old copy"));
  EXPECT_THAT(made.err, HasSubstr("the CRL that is replaced lists 1 certificate, this one 0: what "
                                  "is missing here is accepted again"));
  EXPECT_GT(number("crl.pem"), last);
}

TEST_F(RevocationCommands, NumbersGoOnWhereAnotherProgramStopped) {
  dir_.write("index.txt", "R\t361117194603Z\t261120120000Z\t4A\tunknown\t/CN=one\n");
  dir_.write("number", "7000000000000000\n");
  dir_.write("ca.cnf",
             "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\n"
             "default_md=sha256\n");
  openssl({"ca", "-config", "ca.cnf", "-gencrl", "-crldays", "1", "-cert", "ca/ca-cert.pem",
           "-keyfile", "ca/ca-private.key", "-out", "crl.pem"});
  EXPECT_THAT(ok({"ca", "crl", "ca", "--output", "crl.pem"}).err,
              HasSubstr("warning: the CRL that is replaced has number 8070450532247928832, above"));
  EXPECT_EQ(number("crl.pem"), "crlNumber=0x7000000000000001\n");
  EXPECT_EQ(ok({"ca", "crl", "ca", "--output", "crl.pem"}).err.find("warning"), std::string::npos);
  EXPECT_EQ(number("crl.pem"), "crlNumber=0x7000000000000002\n");
}

TEST_F(RevocationCommands, OnlyAListOfThisCaIsOverwritten) {
  ok({"ca", "init", "other", "--cn", "Other CA"});
  ok({"ca", "issue-device", "other", "--id", "o", "--output", "out"});
  ok({"ca", "crl", "other", "--output", "other.pem"});
  refused({"ca", "crl", "ca", "--output", "other.pem"},
          "'other.pem' exists and is another CA's CRL; it is not overwritten: move it away, or "
          "choose another name");
  dir_.write("notes.txt", "dear diary\n");
  for (const std::string format : {"pem", "der"}) {
    refused({"ca", "crl", "ca", "--output", "notes.txt", "--format", format},
            "'notes.txt' exists and is no CRL; it is not overwritten: move it away, or choose "
            "another name");
  }
  refused({"ca", "crl", "ca", "--output", "notes.txt", "--format", "blacklist"},
          "'notes.txt' exists and is no blacklist; it is not overwritten: move it away, or choose "
          "another name");
  EXPECT_EQ(slurp("notes.txt"), "dear diary\n");
}

TEST_F(RevocationCommands, DatesOfAClockThatWasWrongDoNotStopTheCrl) {
  ok({"ca", "revoke", "ca", "--id", "unit-1", "--id", "unit-2"});
  // One is dated long before it was issued, one far ahead.
  change("UPDATE revocations SET revoked_at = 1000000000 WHERE certificate = 1");
  change("UPDATE revocations SET revoked_at = 4102444800 WHERE certificate = 2");
  const auto made = ok({"ca", "crl", "ca", "--output", "crl.pem"});
  EXPECT_THAT(made.err, HasSubstr("warning: 1 revocation is recorded with a date after the present "
                                  "one ("));
  EXPECT_NE(verify("unit-1").status, 0);
  EXPECT_NE(verify("unit-2").status, 0);
  const std::string text = openssl({"crl", "-in", "crl.pem", "-noout", "-text"});
  EXPECT_THAT(text, HasSubstr("Revocation Date: Sep  9 01:46:40 2001 GMT"));
  EXPECT_THAT(text, Not(HasSubstr("2100")));
}

TEST_F(RevocationCommands, ACrlThatIsOutOfDateIsReplaced) {
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  const auto later = std::chrono::system_clock::now() + std::chrono::days(2);
  const auto at = std::to_string(std::chrono::system_clock::to_time_t(later));
  ok({"ca", "crl", "ca", "--output", "crl.pem", "--days", "1"});
  const auto verify_then = [&] {
    return run_command({"openssl", "verify", "-attime", at, "-crl_check", "-CAfile",
                        "ca/ca-cert.pem", "-CRLfile", "crl.pem", "out/unit-1.crt"});
  };
  EXPECT_THAT(verify_then().err, HasSubstr("CRL has expired"));
  ok({"ca", "crl", "ca", "--output", "crl.pem", "--days", "30"});
  EXPECT_EQ(verify_then().status, 0) << verify_then().err;
}

TEST_F(RevocationCommands, ACaThatMayNotSignCrlsIsTold) {
  openssl({"x509", "-in", "ca/ca-cert.pem", "-signkey", "ca/ca-private.key", "-days", "9000",
           "-clrext", "-extfile",
           dir_.write("ext",
                      "basicConstraints=critical,CA:TRUE\n"
                      "keyUsage=critical,keyCertSign\n"
                      "subjectKeyIdentifier=hash\n"),
           "-out", "narrow.pem"});
  fs::rename("narrow.pem", "ca/ca-cert.pem");
  fs::remove("ca/chain.pem");
  refused({"ca", "crl", "ca", "--output", "crl.pem"},
          "CA certificate 'ca/ca-cert.pem': its keyUsage lacks cRLSign, so verifiers would refuse "
          "its CRL; renew the CA with it (imprint ca init does), or use --format blacklist");
  ok({"ca", "crl", "ca", "--output", "blacklist", "--format", "blacklist"});
}

TEST_F(RevocationCommands, TwoAtOnceTakeTurns) {
  {
    const auto lock = DirectoryLock::acquire(".crl.pem.lock");
    const auto second = imprint({"ca", "crl", "ca", "--output", "crl.pem"});
    EXPECT_EQ(second.status, 4);
    EXPECT_THAT(second.err, HasSubstr("'./.crl.pem.lock' is held by another run (process "));
  }
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
}

TEST_F(RevocationCommands, AFaultLeavesTheOldListOrTheNewOne) {
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  ok({"ca", "revoke", "ca", "--id", "unit-1"});
  for (const int error : {ENOSPC, EIO}) {
    for (int n = 1;; ++n) {
      const std::string old = slurp("crl.pem");
      CommandResult result;
      bool fired = false;
      {
        const FailNth fault(n, error);
        result = imprint({"ca", "crl", "ca", "--output", "crl.pem"});
        fired = fault.fired();
      }
      EXPECT_EQ(leftovers("."), std::vector<std::string>()) << n;
      EXPECT_EQ(
          run_command({"openssl", "crl", "-in", "crl.pem", "-CAfile", "ca/ca-cert.pem", "-noout"})
              .err,
          "verify OK\n");
      if (!fired) {
        EXPECT_EQ(result.status, 0) << result.err;
        break;
      }
      EXPECT_EQ(result.status, 4) << n << result.err;
      const bool is_new = slurp("crl.pem") != old;
      EXPECT_TRUE(!is_new || verify("unit-1").status != 0);
    }
  }
  EXPECT_NE(verify("unit-1").status, 0);
}

TEST_F(RevocationCommands, StandardOutputThatIsFullIsAnError) {
  std::ostringstream err;
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(cli::run(std::vector<std::string>{"ca", "crl", "ca", "--output", "-"}, out, err), 4);
  EXPECT_THAT(err.str(), HasSubstr("writing to standard output"));
}

}  // namespace
}  // namespace imprint::cli::test
