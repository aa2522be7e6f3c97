// The server's certificate of a bundle is renewed, and nothing else.

#include "edge_fixture.hpp"

namespace imprint::cli::test {
namespace {

using EdgeRenew = Edge;
using imprint::test::openssl;

std::map<std::string, std::string> content_but_pair() {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::directory_iterator("edge")) {
    const std::string name = entry.path().filename();
    if (name != "server.key" && name != "server.crt") content[name] = slurp(entry.path());
  }
  return content;
}

TEST_F(EdgeRenew, HasAnotherKeyForTheSameNames) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"ca", "init", "root", "--cn", "Root"});
  ok({"ca", "init", "line", "--cn", "Line 1", "--parent", "root"});
  ok(edge_command("line", {"--san", "IP:192.0.2.7", "--san", "DNS:*.example.com", "--days", "90"}));
  dir_.write("edge/notes.txt", "mine\n");
  const auto rest = content_but_pair();
  const std::string key = slurp("edge/server.key");
  const std::vector<std::string> facts = {
      "x509", "-in", "edge/server.crt", "-noout", "-subject", "-issuer", "-ext", "subjectAltName"};
  const std::string before = openssl(facts);
  const auto renewed = ok({"edge", "--ca", "line", "--renew"});
  EXPECT_THAT(renewed.err, HasSubstr("imprint: start the edge anew (nginx: reload it), so that it "
                                     "shows the new certificate\n"));
  EXPECT_THAT(renewed.err, Not(HasSubstr("blacklist")));
  EXPECT_EQ(openssl(facts), before);
  EXPECT_EQ(content_but_pair(), rest);
  EXPECT_NE(slurp("edge/server.key"), key);
  EXPECT_EQ(mode_of("edge/server.key"), 0600U);
  EXPECT_EQ(openssl({"pkey", "-in", "edge/server.key", "-pubout"}),
            openssl({"x509", "-in", "edge/server.crt", "-noout", "-pubkey"}));
  openssl({"verify", "-CAfile", "root/ca-cert.pem", "-untrusted", "edge/server.crt", "-purpose",
           "sslserver", "-verify_ip", "192.0.2.7", "edge/server.crt"});
  EXPECT_EQ(sql("line/ledger.db",
                "SELECT count(*), count(DISTINCT public_key_sha256), "
                "CAST(max(julianday(not_after) - julianday(not_before)) AS INTEGER) FROM devices "
                "WHERE device_id = 'mtls.example.com' AND state = 'placed'"),
            "2|2|90");
  const Json record =
      Json::parse(ok({"edge", "--ca", "line", "--renew", "--days", "30", "--json"}).out);
  EXPECT_EQ(record["files"].size(), 2U);
  EXPECT_FALSE(record.contains("revoked"));
  EXPECT_THAT(record["warnings"].dump(), HasSubstr("the new certificate ends on "));
}

TEST_F(EdgeRenew, AGivenPairIsReplacedByAnotherOne) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "init", "web", "--cn", "Web CA"});
  ok({"ca", "issue-server", "web", "--cn", "mtls.example.com"});
  ok({"ca", "issue-server", "web", "--cn", "other.example.com"});
  ok({"edge", "--ca", "ca", "--cert", "mtls.example.com.crt", "--key", "mtls.example.com.key"});
  refused({"edge", "--ca", "ca", "--renew"},
          "there is no ledger 'ca/ledger.db': without the right "
          "one the lists of revoked certificates would be empty "
          "(a batch writes it into its output folder)");
  ok({"ca", "issue-device", "ca", "--id", "unit"});
  refused(
      {"edge", "--ca", "ca", "--renew"},
      "'edge/server.crt' was issued by 'CN=Web CA', not by the CA of --ca, 'CN=Device CA': give "
      "the next one with --cert FILE --key FILE --renew");
  const auto rest = content_but_pair();
  fs::rename("ca/ca-private.key", "elsewhere.key");  // it is not needed
  const auto renewed = ok({"edge", "--ca", "ca", "--renew", "--cert", "other.example.com.crt",
                           "--key", "other.example.com.key"});
  EXPECT_THAT(renewed.err, HasSubstr("imprint: warning: the new certificate lacks names of the one "
                                     "that it replaces: 'DNS:mtls.example.com'; devices that "
                                     "connect by these refuse the edge\n"));
  EXPECT_EQ(slurp("edge/server.key"), slurp("other.example.com.key"));
  EXPECT_EQ(slurp("edge/server.crt"), slurp("other.example.com.crt"));
  EXPECT_EQ(content_but_pair(), rest);
}

TEST_F(EdgeRenew, WhatItHasNotHadIssuedIsNotItsToRenew) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "issue-server", "ca", "--cn", "mtls.example.com"});
  ok({"edge", "--ca", "ca", "--cert", "mtls.example.com.crt", "--key", "mtls.example.com.key"});
  const std::string key = slurp("edge/server.key");
  refused({"edge", "--ca", "ca", "--renew"},
          fmt::format("'edge/server.crt' was given with --cert, and is that of '{}': renew it "
                      "there, and give the next one with --cert FILE --key FILE --renew",
                      (fs::current_path() / "mtls.example.com.crt").string()));
  ok({"ca", "issue-device", "ca", "--id", "unit", "--ledger", "other.db"});
  refused({"edge", "--ca", "ca", "--renew", "--ledger", "other.db"},
          "'edge/server.crt' is not in the ledger 'other.db': name the one that has it with "
          "--ledger, or give the next one with --cert FILE --key FILE --renew");
  EXPECT_EQ(slurp("edge/server.key"), key);
}

TEST_F(EdgeRenew, RefusesWhatCannotWorkAndChangesNothing) {
  ok({"ca", "init", "ca", "--cn", "Device CA", "--days", "100"});
  refused({"edge", "--ca", "ca", "--renew"},
          "'edge' holds no bundle whose server certificate could be renewed: make it with 'imprint "
          "edge' without --renew");
  ok(edge_command("ca", {"--days", "90"}));
  const std::string key = slurp("edge/server.key");
  const auto too_long = imprint({"edge", "--ca", "ca", "--renew", "--days", "200"});
  EXPECT_EQ(too_long.status, 2);
  EXPECT_THAT(too_long.err, HasSubstr("imprint: error: --days: "));
  for (const std::string option : {"--cn", "--san", "--backend", "--listen", "--crl-days"}) {
    refused({"edge", "--ca", "ca", "--renew", option, "1"},
            option + " excludes --renew (see 'imprint edge --help')");
  }
  for (const std::string option : {"--cn", "--san", "--backend", "--listen", "--days"}) {
    refused({"edge", "--ca", "ca", "--refresh", option, "1"},
            option + " excludes --refresh (see 'imprint edge --help')");
  }
  const fs::path here = fs::current_path();
  fs::current_path("edge");
  refused({"edge", "--ca", "../ca", "--out", ".", "--renew"},
          "'.' is the working directory or above it, and is exchanged as a whole; go elsewhere, or "
          "name a folder inside of it");
  fs::current_path(here);
  EXPECT_EQ(slurp("edge/server.key"), key);
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices"), "1");
  dir_.write("edge/server.crt", "nothing\n");
  const auto damaged = imprint({"edge", "--ca", "ca", "--renew"});
  EXPECT_EQ(damaged.status, 2);
  EXPECT_THAT(damaged.err, HasSubstr("imprint: error: 'edge/server.crt': "));
}

}  // namespace
}  // namespace imprint::cli::test
