// What is done to a bundle that is there: all of it is replaced, the lists are refreshed, the
// server's certificate is renewed.

#include <algorithm>
#include <cerrno>

#include "edge_fixture.hpp"
#include "support/fault.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;

using EdgeAgain = Edge;

TEST_F(EdgeAgain, NeverOverwritesUnlessToldTo) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  const std::string key = slurp("edge/server.key");
  dir_.write("edge/notes.txt", "mine\n");
  const auto again = imprint(edge_command("ca"));
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(
      again.err,
      "imprint: error: 'edge/server.key' exists and is not overwritten; use --refresh to renew "
      "the lists of revoked certificates, --renew to renew the server's certificate, --force to "
      "replace all, or choose another folder with --out\n");
  EXPECT_EQ(slurp("edge/server.key"), key);
  ok(edge_command("ca", {"--force"}));
  EXPECT_NE(slurp("edge/server.key"), key);
  EXPECT_EQ(slurp("edge/notes.txt"), "mine\n");
  EXPECT_EQ(mode_of("edge/server.key"), 0600U);
  // What a refused run would have left: no certificate that nobody has.
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices"), "2");
}

TEST_F(EdgeAgain, ARefreshNeedsTheKeyOfTheCrlAndTheLedger) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  const std::string crl = slurp("edge/devices.crl.pem");
  fs::rename("ca/ca-private.key", "elsewhere.key");
  const auto refuse = imprint({"edge", "--ca", "ca", "--refresh"});
  EXPECT_EQ(refuse.status, 2);
  EXPECT_EQ(refuse.err,
            "imprint: error: 'edge/devices.crl.pem' needs the CA's key, which is not "
            "there: refresh where it is\n");
  EXPECT_EQ(slurp("edge/devices.crl.pem"), crl);
  fs::rename("elsewhere.key", "ca/ca-private.key");
  fs::remove("ca/ledger.db");
  EXPECT_THAT(imprint({"edge", "--ca", "ca", "--refresh"}).err,
              HasSubstr("there is no ledger 'ca/ledger.db'"));
}

TEST_F(EdgeAgain, ReplacingItWithAnotherLedgerLetsNobodyInAgain) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  for (const std::string id : {"stolen-1", "stolen-2"}) {
    ok({"ca", "issue-device", "ca", "--id", id});
    ok({"ca", "revoke", "ca", "--id", id});
  }
  ok(edge_command("ca"));
  fs::rename("ca/ledger.db", "elsewhere.db");
  const std::string blacklist = slurp("edge/blacklist");
  const std::string key = slurp("edge/server.key");
  const auto refuse = imprint(edge_command("ca", {"--force"}));
  EXPECT_EQ(refuse.status, 2);
  EXPECT_THAT(refuse.err,
              HasSubstr("imprint: error: 'edge/blacklist' lists 2 revoked certificates that the "
                        "ledger 'ca/ledger.db' does not have as revoked by this CA, and that would "
                        "be let in again: give the ledger of before with --ledger, or make a new "
                        "bundle elsewhere with --out\n"));
  EXPECT_EQ(slurp("edge/blacklist"), blacklist);
  EXPECT_EQ(slurp("edge/server.key"), key);
  EXPECT_FALSE(fs::exists("ca/ledger.db"));
  ok(edge_command("ca", {"--force", "--ledger", "elsewhere.db"}));
  EXPECT_EQ(slurp("edge/blacklist"), blacklist);
}

TEST_F(EdgeAgain, ARefreshWithAnotherLedgerLetsNobodyInAgain) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "issue-device", "ca", "--id", "stolen"});
  ok({"ca", "revoke", "ca", "--id", "stolen"});
  ok(edge_command("ca", {"--out", "with-crl"}));
  ok({"ca", "init", "web", "--cn", "Web CA"});
  ok({"ca", "issue-server", "web", "--cn", "mtls.example.com"});
  fs::rename("ca/ca-private.key", "elsewhere.key");
  ok({"edge", "--ca", "ca", "--cert", "mtls.example.com.crt", "--key", "mtls.example.com.key",
      "--out", "without-crl"});
  const auto refuse = [](const std::string& bundle) {
    const std::string map = slurp(bundle + "/revoked.map");
    const auto result =
        imprint({"edge", "--ca", "ca", "--refresh", "--out", bundle, "--ledger", "web/ledger.db"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              fmt::format("imprint: error: '{}/blacklist' lists 1 revoked certificate that the "
                          "ledger 'web/ledger.db' does not have as revoked by this CA, and that "
                          "would be let in again: give the ledger of before with --ledger, or make "
                          "a new bundle elsewhere with --out\n",
                          bundle));
    EXPECT_EQ(slurp(bundle + "/revoked.map"), map);
  };
  refuse("without-crl");
  fs::rename("elsewhere.key", "ca/ca-private.key");
  const std::string crl = slurp("with-crl/devices.crl.pem");
  refuse("with-crl");
  EXPECT_EQ(slurp("with-crl/devices.crl.pem"), crl);
}

TEST_F(EdgeAgain, ARefreshWhoseCrlCannotBeMadeChangesNothing) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "issue-device", "ca", "--id", "stolen"});
  ok(edge_command("ca"));
  ok({"ca", "revoke", "ca", "--id", "stolen"});
  dir_.write("edge/devices.crl.pem", "something else\n");
  const auto refuse = imprint({"edge", "--ca", "ca", "--refresh"});
  EXPECT_EQ(refuse.status, 2);
  EXPECT_THAT(refuse.err, HasSubstr("'edge/devices.crl.pem' exists and is no CRL"));
  EXPECT_EQ(slurp("edge/blacklist"), "");
  EXPECT_EQ(slurp("edge/devices.crl.pem"), "something else\n");
}

TEST_F(EdgeAgain, ARefreshLeavesNoOtherFileBehind) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  const auto names = [] {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator("edge"))
      found.push_back(entry.path().filename());
    std::ranges::sort(found);
    return found;
  };
  const auto before = names();
  ok({"edge", "--ca", "ca", "--refresh"});
  EXPECT_EQ(names(), before);
}

TEST_F(EdgeAgain, WhatWasFilledInStays) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  const auto fill_in = [](const std::string& file, const std::string& name,
                          const std::string& value) {
    const auto done =
        run_command({"sed", "-i", fmt::format("s|^{}=.*|{}={}|", name, name, value), file});
    EXPECT_EQ(done.status, 0) << done.err;
  };
  fill_in("edge/mender-gateway.env", "MTLS_MENDER_USERNAME", "edge@example.com");
  fill_in("edge/mender-gateway.env", "MTLS_MENDER_PASSWORD", "pass= word$\"'#");
  fill_in("edge/mender-gateway.env", "UPSTREAM_SERVER_URL", "https://mender.example.com");
  fill_in("edge/mtls-ambassador.env", "MTLS_MENDER_PASS", "other");
  const auto made = ok(edge_command("ca", {"--force"}));
  EXPECT_THAT(made.err,
              HasSubstr("imprint: kept of the bundle before: the backend "
                        "'https://mender.example.com', MTLS_MENDER_USERNAME, MTLS_MENDER_PASSWORD "
                        "of mender-gateway.env, MTLS_MENDER_PASS of mtls-ambassador.env\n"));
  EXPECT_THAT(made.err, Not(HasSubstr("word$")));
  EXPECT_EQ(variable("edge/mender-gateway.env", "MTLS_MENDER_USERNAME"), "edge@example.com\n");
  EXPECT_EQ(variable("edge/mender-gateway.env", "MTLS_MENDER_PASSWORD"), "pass= word$\"'#\n");
  EXPECT_EQ(variable("edge/mtls-ambassador.env", "MTLS_MENDER_PASS"), "other\n");
  EXPECT_EQ(variable("edge/mtls-ambassador.env", "MTLS_MENDER_USER"), "\n");
  EXPECT_EQ(variable("edge/mtls-ambassador.env", "MTLS_MENDER_BACKEND"),
            "https://mender.example.com\n");
  EXPECT_THAT(slurp("edge/nginx.conf"), HasSubstr("proxy_pass https://mender.example.com;"));
  EXPECT_EQ(mode_of("edge/mender-gateway.env"), 0600U);

  fill_in("edge/mender-gateway.env", "UPSTREAM_SERVER_URL", "mender.example.com");
  const std::string key = slurp("edge/server.key");
  refused(edge_command("ca", {"--force"}),
          "the backend that was filled in at 'edge/mender-gateway.env': --backend "
          "'mender.example.com': a server's URL begins with https://");
  EXPECT_EQ(slurp("edge/server.key"), key);
  ok(edge_command("ca", {"--force", "--backend", "https://new.example.com"}));
  EXPECT_EQ(variable("edge/mender-gateway.env", "UPSTREAM_SERVER_URL"),
            "https://new.example.com\n");
}

TEST_F(EdgeAgain, OwnersStay) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  ASSERT_EQ(::chown("edge/server.key", 65534, 65534), 0);
  const std::string kept =
      "imprint: kept of the bundle before: the owner of server.key (65534:65534)\n";
  for (const std::vector<std::string>& again :
       {edge_command("ca", {"--force"}), {"edge", "--ca", "ca", "--renew"}}) {
    const std::string key = slurp("edge/server.key");
    EXPECT_THAT(ok(again).err, HasSubstr(kept));
    EXPECT_NE(slurp("edge/server.key"), key);
    EXPECT_EQ(status_of("edge/server.key").st_uid, 65534U);
    EXPECT_EQ(status_of("edge/server.key").st_gid, 65534U);
    EXPECT_EQ(mode_of("edge/server.key"), 0600U);
    EXPECT_EQ(status_of("edge/server.crt").st_uid, 0U);
  }
  const imprint::test::ScopedFaultHook hook(
      [](std::string_view call) { return call == "fchown" ? EPERM : 0; });
  EXPECT_THAT(ok({"edge", "--ca", "ca", "--renew"}).err,
              HasSubstr("imprint: warning: 'edge/server.key' was 65534:65534's, and only root can "
                        "give it back: chown 65534:65534 'edge/server.key'\n"));
}

TEST_F(EdgeAgain, AFolderThatCannotBeLookedIntoIsNotTakenForEmpty) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  const std::string circles = ": Too many levels of symbolic links";
  fs::create_symlink("loop.db", "loop.db");
  refused({"edge", "--ca", "ca", "--refresh", "--ledger", "loop.db"},
          "looking for 'loop.db'" + circles);
  fs::create_symlink("loop", "loop");
  refused({"edge", "--ca", "loop", "--refresh"},
          "--ca: looking for 'loop/authority.json'" + circles);
  refused({"edge", "--ca", "ca", "--refresh", "--out", "loop"},
          "looking for 'loop/blacklist'" + circles);
  fs::remove("edge/devices.crl.pem");
  fs::create_symlink("devices.crl.pem", "edge/devices.crl.pem");
  refused({"edge", "--ca", "ca", "--refresh"}, "looking for 'edge/devices.crl.pem'" + circles);
}

TEST_F(EdgeAgain, ACaOfAnotherUserIsToldAsSuch) {
  if (::geteuid() == 0) IMPRINT_NEED_COMMAND("setpriv");
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  fs::permissions(dir_.path(), fs::perms{0755});
  fs::permissions("ca", fs::perms::none);
  std::vector<std::string> command = {binary(), "edge", "--ca", "ca", "--cn", "a.example.com"};
  if (::geteuid() == 0) {
    command.insert(command.begin(),
                   {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"});
  }
  const CommandResult result = run_command(command);
  fs::permissions("ca", fs::perms::owner_all);
  EXPECT_EQ(result.status, 4);
  EXPECT_EQ(result.err,
            "imprint: error: --ca: looking for 'ca/authority.json': Permission denied\n");
}

}  // namespace
}  // namespace imprint::cli::test
