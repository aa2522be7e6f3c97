// `ledger export`: what servers are told of devices, read by other people's parsers.

#include <filesystem>
#include <sstream>
#include <sys/stat.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/cli/cli.hpp"
#include "support/in_memory.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::TempDir;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

IMPRINT_TEMPORARIES_IN_MEMORY();

using Arguments = std::vector<std::string>;

/// A ledger with two devices whose manifest says what they report, one without, one revoked, a
/// device with two certificates, and a server.
class LedgerExport : public testing::Test {
 protected:
  LedgerExport() : before_(fs::current_path()) {
    fs::current_path(dir_.path());
    ok({"ca", "init", "ca", "--cn", "Test CA"});
    dir_.write("manifest.json", R"({"version": 1, "image": "none.img",
      "authority": {"certificate": "ca/ca-cert.pem", "key": "ca/ca-private.key"},
      "identity": {"subject": {"CN": "{id}.example.com"}},
      "identity_data": {"sn": "{serial}", "say \"it\"": "ü \\ {id}"},
      "devices": [{"id": "x"}]})");
    device("unit-1");
    device("unit-2");
    issue({"--id", "plain"});
    device("revoked");
    ok({"ca", "revoke", "ca", "--ledger", "ledger.db", "--id", "revoked"});
    device("unit-1", "again");
    ok({"ca", "issue-server", "ca", "--cn", "mender.example.com", "--output", "server", "--ledger",
        "ledger.db"});
  }

  ~LedgerExport() override { fs::current_path(before_); }

  static std::string ok(const Arguments& arguments) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
    return result.out;
  }

  static void issue(Arguments options, const std::string& output = "out") {
    options.insert(options.begin(),
                   {"ca", "issue-device", "ca", "--ledger", "ledger.db", "--output", output});
    ok(options);
  }

  static void device(const std::string& id, const std::string& output = "out") {
    issue({"--manifest", "manifest.json", "--set", "serial=SN-" + id, "--id", id}, output);
  }

  static CommandResult run_export(Arguments options) {
    options.insert(options.begin(), {"ledger", "export", "--format"});
    return imprint(options);
  }

  static std::string exported(const Arguments& options) {
    const CommandResult result = run_export(options);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(options) << result.err;
    return result.out;
  }

  static void refused(const Arguments& options, const std::string& message) {
    const CommandResult result = run_export(options);
    EXPECT_EQ(result.status, 2) << message;
    EXPECT_EQ(result.err, "imprint: error: " + message + "\n");
    EXPECT_EQ(result.out, "");
  }

  /// What jq makes of it, a line each.
  static std::string jq(const std::string& text, const std::string& filter) {
    const auto result = run_command({"jq", "-r", filter}, text);
    EXPECT_EQ(result.status, 0) << result.err << text;
    return result.out;
  }

  static std::string openssl(Arguments arguments, const std::string& input = {}) {
    arguments.insert(arguments.begin(), "openssl");
    const auto result = run_command(arguments, input);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }

  static void change(const std::string& id, const std::string& assignments) {
    EXPECT_EQ(sql("ledger.db", fmt::format("UPDATE certificates SET {} WHERE device_id = '{}'",
                                           assignments, id)),
              "");
  }

  TempDir dir_;
  fs::path before_;
};

TEST_F(LedgerExport, PreauthorizeIsABodyALine) {
  IMPRINT_NEED_COMMAND("jq");
  const std::string lines = exported({"preauthorize", "--skip-incomplete"});
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2);
  EXPECT_EQ(jq(lines, "keys | join(\",\")"),
            "force,identity_data,pubkey\nforce,identity_data,pubkey\n");
  EXPECT_EQ(jq(lines, ".force, .identity_data.sn, .identity_data[\"say \\\"it\\\"\"]"),
            "false\nSN-unit-2\nü \\ unit-2\nfalse\nSN-unit-1\nü \\ unit-1\n");
  // The key is that of the certificate in the device's file, byte for byte as openssl writes it.
  const std::string unit_2 = exported({"preauthorize", "--id", "unit-2"});
  EXPECT_EQ(jq(unit_2, ".pubkey"),
            openssl({"x509", "-in", "out/unit-2.crt", "-noout", "-pubkey"}) + "\n");
  const std::string unit_1 = exported({"preauthorize", "--id", "unit-1"});
  EXPECT_EQ(jq(unit_1, ".pubkey"),
            openssl({"x509", "-in", "again/unit-1.crt", "-noout", "-pubkey"}) + "\n")
      << "the latest certificate";
}

TEST_F(LedgerExport, IdentityDataMayBeGivenForThoseThatHaveNone) {
  IMPRINT_NEED_COMMAND("jq");
  const std::string lines =
      exported({"preauthorize", "--identity-data", "sn=SN-{id}", "--identity-data",
                "cert={serial_hex} {certificate_sha256} {public_key_sha256}"});
  EXPECT_EQ(jq(lines, ".identity_data.sn"), "SN-unit-2\nSN-plain\nSN-unit-1\n");
  EXPECT_EQ(jq(lines, ".identity_data.cert"),
            "null\n" +
                sql("ledger.db",
                    "SELECT serial || ' ' || certificate_sha256 || ' ' || "
                    "public_key_sha256 FROM devices WHERE device_id = 'plain'") +
                "\nnull\n");
}

TEST_F(LedgerExport, WhoReportsNobodyKnowsWhatIsAnError) {
  refused({"preauthorize"},
          "device 'plain': the ledger does not know what it will report as its identity, as its "
          "manifest had no 'identity_data': give --identity-data NAME=TEMPLATE, such as 'sn={id}', "
          "or leave such devices out with --skip-incomplete");
  issue({"--id", "plain-2"});
  issue({"--id", "plain-3"});
  const CommandResult result = run_export({"preauthorize"});
  EXPECT_THAT(result.err, EndsWith("--skip-incomplete (and 2 more devices)\n"));
  const CommandResult skipped = run_export({"preauthorize", "--skip-incomplete"});
  EXPECT_EQ(skipped.status, 0);
  EXPECT_THAT(skipped.err, StartsWith("imprint: warning: 3 devices left out; the first: device "
                                      "'plain': the ledger does not know what"));
  EXPECT_THAT(skipped.err, EndsWith("\nimprint: standard output: 2 devices\n"));
}

TEST_F(LedgerExport, WhatAnOlderImprintDidNotRecordIsAnError) {
  change("unit-2", "certificate = NULL, public_key = NULL");
  const auto message = [](const std::string& what) {
    return "device 'unit-2': its " + what +
           " is not in the ledger, as it was issued by an older imprint: give it a new identity, "
           "or "
           "leave such devices out with --skip-incomplete";
  };
  refused({"preauthorize", "--identity-data", "sn={id}"}, message("public key"));
  refused({"aws"}, message("certificate"));
  refused({"azure-dps"}, message("certificate"));
  for (const std::string format : {"preauthorize", "aws", "azure-dps"})
    EXPECT_EQ(run_export({format, "--skip-incomplete"}).out.find("unit-2"), std::string::npos);
  IMPRINT_NEED_COMMAND("jq");
  EXPECT_EQ(jq(exported({"json", "--id", "unit-2"}), ".devices[] | .certificate, .public_key"),
            "null\nnull\n");
}

TEST_F(LedgerExport, JsonSaysAllThatIsKnown) {
  IMPRINT_NEED_COMMAND("jq");
  const std::string text = exported({"json"});
  EXPECT_EQ(jq(text, ".version"), "1\n");
  EXPECT_EQ(
      jq(text,
         ".devices[] | [.id,.state,.serial,.certificate_sha256,.public_key_sha256,.not_before,"
         ".not_after,.issued_at,.file] | join(\"|\")"),
      sql("ledger.db",
          "SELECT device_id, state, serial, certificate_sha256, public_key_sha256, not_before, "
          "not_after, issued_at, file FROM devices WHERE certificate IN (2, 3, 5)") +
          "\n");
  EXPECT_EQ(jq(text, ".devices[1].identity_data, .devices[0].identity_data.sn"),
            "null\nSN-unit-2\n");
  EXPECT_EQ(jq(text, ".devices[0].certificate"), slurp("out/unit-2.crt") + "\n");
  EXPECT_EQ(jq(text, ".devices[0].public_key"),
            openssl({"pkey", "-in", "out/unit-2.key", "-pubout"}) + "\n");
  EXPECT_EQ(jq(text, ".devices[0] | .subject, .key, .reason"),
            "CN=unit-2.example.com\nec:P-256\nnull\n");
  EXPECT_EQ(exported({"json", "--state", "failed"}), "{\"version\":1,\"devices\":[\n]}\n");
}

TEST_F(LedgerExport, CsvIsReadBackBySqlite) {
  dir_.write("devices.csv", exported({"csv"}));
  const auto imported = run_command(
      {"sqlite3", ":memory:"},
      ".mode csv\n.import devices.csv d\n.mode list\nSELECT id, state, subject, key, identity_data "
      "FROM d; SELECT public_key FROM d WHERE id = 'unit-2';\nSELECT certificate FROM d WHERE id = "
      "'unit-2';\n");
  EXPECT_EQ(imported.err, "");
  const std::string key = openssl({"pkey", "-in", "out/unit-2.key", "-pubout", "-outform", "DER"});
  const std::string der = openssl({"x509", "-in", "out/unit-2.crt", "-outform", "DER"});
  const auto base64 = [&](const std::string& bytes) { return openssl({"base64", "-A"}, bytes); };
  EXPECT_EQ(imported.out,
            "unit-2|placed|CN=unit-2.example.com|ec:P-256|"
            R"({"sn":"SN-unit-2","say \"it\"":"ü \\ unit-2"})"
            "\nplain|placed|CN=plain|ec:P-256|\n"
            "unit-1|placed|CN=unit-1.example.com|ec:P-256|"
            R"({"sn":"SN-unit-1","say \"it\"":"ü \\ unit-1"})"
            "\n" +
                base64(key) + "\n" + base64(der) + "\n");
}

TEST_F(LedgerExport, AwsIsParametersOfABulkRegistration) {
  IMPRINT_NEED_COMMAND("jq");
  const std::string lines = exported({"aws"});
  EXPECT_EQ(jq(lines, "[keys_unsorted[], .ThingName] | join(\",\")"),
            "ThingName,CertificateId,CertificatePem,unit-2\n"
            "ThingName,CertificateId,CertificatePem,plain\n"
            "ThingName,CertificateId,CertificatePem,unit-1\n");
  const std::string unit_2 = exported({"aws", "--id", "unit-2"});
  EXPECT_EQ(jq(unit_2, ".CertificatePem"), slurp("out/unit-2.crt") + "\n");
  const std::string der = openssl({"x509", "-in", "out/unit-2.crt", "-outform", "DER"});
  EXPECT_EQ(jq(unit_2, ".CertificateId"),
            openssl({"dgst", "-sha256", "-r"}, der).substr(0, 64) + "\n");
  issue({"--id", "unit.3"});
  refused({"aws"},
          "device 'unit.3': AWS IoT names things with letters, digits, ':', '_' and '-' "
          "alone; choose the others with --id");
}

TEST_F(LedgerExport, AzureIsBulkEnrollmentsOfTen) {
  IMPRINT_NEED_COMMAND("jq");
  for (int number = 10; number < 19; ++number)
    issue({"--id", "more-" + std::to_string(number)});
  const std::string lines = exported({"azure-dps"});
  EXPECT_EQ(jq(lines, "[.mode, (.enrollments | length)] | join(\" \")"), "create 10\ncreate 2\n");
  EXPECT_EQ(jq(lines,
               ".enrollments[] | select(.deviceId == \"unit-2\") | .registrationId, "
               ".provisioningStatus, .attestation.type, "
               ".attestation.x509.clientCertificates.primary.certificate"),
            "unit-2.example.com\nenabled\nx509\n" + slurp("out/unit-2.crt") + "\n");
  EXPECT_EQ(std::ranges::count(exported({"azure-dps", "--id", "plain", "--id", "plain"}), '\n'), 1);
}

TEST_F(LedgerExport, AzureKnowsDevicesByTheirCommonNames) {
  dir_.write("named.json", R"({"version": 1, "image": "none.img",
    "authority": {"certificate": "ca/ca-cert.pem", "key": "ca/ca-private.key"},
    "identity": {"subject": {"CN": "Unit {id}"}}, "devices": [{"id": "x"}]})");
  issue({"--manifest", "named.json", "--id", "odd"});
  refused({"azure-dps"},
          "device 'odd': the common name 'Unit odd' of its certificate, by which Azure DPS knows "
          "it, has to be letters, digits, '.', '_', ':' and '-' (inside), at most 128");
}

TEST_F(LedgerExport, WhoIsAskedForByNameIsExportedOrTheReasonIsSaid) {
  refused({"json", "--id", "unit-9"},
          "--id 'unit-9': there is no such device in the ledger 'ledger.db'");
  refused({"json", "--id", "unit-1", "--id", "revoked"},
          "--id 'revoked': its certificate is revoked (unspecified): give it a new identity first");
  refused({"json", "--id", "mender.example.com"},
          "--id 'mender.example.com': it is no device: the certificate is that of a server");
  refused({"json", "--id", "unit-1", "--state", "lost"},
          "--id 'unit-1': its latest certificate is 'placed', and --state asks for 'lost'");
}

TEST_F(LedgerExport, FilesAreReplacedAsAWhole) {
  const std::string before = R"({"identity_data": "an earlier export"})";
  dir_.write("devices.jsonl", before);
  refused({"preauthorize", "--output", "devices.jsonl"},
          "--output: device 'plain': the ledger does not know what it will report as its identity, "
          "as its manifest had no 'identity_data': give --identity-data NAME=TEMPLATE, such as "
          "'sn={id}', or leave such devices out with --skip-incomplete");
  EXPECT_EQ(slurp("devices.jsonl"), before);
  const CommandResult result =
      run_export({"preauthorize", "--identity-data", "sn={id}", "--output", "devices.jsonl"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "imprint: devices.jsonl: 3 devices\n");
  EXPECT_EQ(slurp("devices.jsonl"), exported({"preauthorize", "--identity-data", "sn={id}"}));
  struct stat status = {};
  ASSERT_EQ(::stat("devices.jsonl", &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0644U);
  const CommandResult nowhere = run_export({"json", "--output", "no/devices.json"});
  EXPECT_NE(nowhere.status, 0);
  EXPECT_THAT(nowhere.err, HasSubstr("no/"));
}

TEST_F(LedgerExport, OnlyExportsAreReplaced) {
  for (const std::string precious : {"ledger.db", "ca/ca-private.key"}) {
    const std::string before = slurp(precious);
    for (const std::string format : {"json", "csv", "aws"}) {
      refused({format, "--output", precious},
              "--output: '" + precious +
                  "' exists and is no export of this format; it is not overwritten: move it away, "
                  "or choose another name");
    }
    EXPECT_EQ(slurp(precious), before);
  }
  for (const std::string format : {"json", "csv", "aws", "azure-dps"}) {
    dir_.write("export", "");
    for (int i = 0; i < 2; ++i) {
      const CommandResult result = run_export({format, "--output", "export"});
      EXPECT_EQ(result.status, 0) << result.err;
    }
    EXPECT_EQ(slurp("export"), exported({format}));
  }
}

TEST_F(LedgerExport, SaysWhatIsWrong) {
  refused({"jsonl"}, "--format: 'jsonl' is no format; did you mean 'json'?");
  refused({"xml-and-more"},
          "--format: 'xml-and-more' is no format; known are preauthorize, csv, json, aws, "
          "azure-dps");
  refused({"json", "none.db"}, "there is no ledger 'none.db'");
  refused({"json", "--state", "plaxed"}, "--state 'plaxed' is no state; did you mean 'placed'?");
  for (const std::string datum : {"sn", "=x", "sn="}) {
    refused({"preauthorize", "--identity-data", datum},
            "--identity-data '" + datum + "': write NAME=TEMPLATE, such as 'sn={id}'");
  }
  refused({"preauthorize", "--identity-data", "a={id}", "--identity-data", "a=b"},
          "--identity-data 'a=b': 'a' is given twice");
  refused({"preauthorize", "--identity-data", "sn={serial}"},
          "--identity-data 'sn={serial}': there is no variable 'serial'; the ledger knows id, "
          "serial_hex, certificate_sha256, public_key_sha256");
  const CommandResult brace = run_export({"preauthorize", "--identity-data", "sn={id"});
  EXPECT_EQ(brace.status, 2);
  EXPECT_THAT(brace.err, StartsWith("imprint: error: --identity-data 'sn={id': "));
  for (const std::string format : {"aws", "azure-dps"}) {
    refused({format, "--identity-data", "sn={id}"},
            "--identity-data is what a Mender client reports: it has no place in this --format");
  }
  EXPECT_THAT(imprint({"ledger", "export"}).err, HasSubstr("--format is required"));
}

TEST_F(LedgerExport, ADamagedLedgerIsNotExported) {
  change("unit-2", "identity_data = '[1]'");
  refused({"json"},
          "device 'unit-2': its identity data in the ledger is no JSON object: the ledger is "
          "damaged");
  change("unit-2", "identity_data = NULL, public_key = x'00'");
  refused({"json"},
          "device 'unit-2': its public key in the ledger is not the one whose digest was recorded "
          "with it: the ledger is damaged");
  change("unit-2", "certificate = x'00'");
  refused({"aws"},
          "device 'unit-2': its certificate in the ledger is not the one whose digest was recorded "
          "with it: the ledger is damaged");
}

TEST_F(LedgerExport, ReadingWritesNothing) {
  const auto before = listing(".");
  exported({"csv"});
  EXPECT_EQ(listing("."), before);
}

TEST_F(LedgerExport, AStandardOutputThatIsGoneIsSaid) {
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(cli::run(Arguments{"ledger", "export", "--format", "json"}, out, err), 4);
  EXPECT_THAT(err.str(), HasSubstr("writing to standard output"));
}

}  // namespace
}  // namespace imprint::cli::test
