// A revoked device is refused where it matters: in the TLS handshake, by nginx and by openssl. A
// good one is let in.

#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "batch_fixture.hpp"
#include "support/in_memory.hpp"
#include "support/tls_server.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::ask;
using imprint::test::TempDir;
using imprint::test::TlsAnswer;
using imprint::test::TlsJudge;
using imprint::test::TlsServer;

IMPRINT_TEMPORARIES_IN_MEMORY();

using Case = std::tuple<TlsJudge, const char*>;

class RevocationInTls : public testing::TestWithParam<Case> {
 protected:
  RevocationInTls() : before_(fs::current_path()) { fs::current_path(dir_.path()); }

  ~RevocationInTls() override { fs::current_path(before_); }

  static void ok(const std::vector<std::string>& arguments) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
  }

  TempDir dir_;
  fs::path before_;
};

TEST_P(RevocationInTls, ARevokedDeviceIsRefusedAndAGoodOneAccepted) {
  const auto [judge, kind] = GetParam();
  IMPRINT_NEED_COMMAND(imprint::test::program(judge));
  IMPRINT_NEED_COMMAND("curl");
  ok({"ca", "init", "ca", "--cn", "Test CA", "--key", kind});
  ok({"ca", "issue-server", "ca", "--cn", "localhost", "--output", "server"});
  ok({"ca", "issue-device", "ca", "--id", "good", "--output", "out"});
  ok({"ca", "issue-device", "ca", "--id", "stolen", "--output", "out"});
  ok({"ca", "crl", "ca", "--output", "before.pem"});
  ok({"ca", "revoke", "ca", "--id", "stolen", "--reason", "keyCompromise"});
  ok({"ca", "crl", "ca", "--output", "after.pem"});
  const auto answer = [](const TlsServer& server, const std::string& id) {
    return ask(server, {.certificate = "out/" + id + ".crt",
                        .key = "out/" + id + ".key",
                        .server_ca = "ca/ca-cert.pem"});
  };
  for (const auto& [crl, stolen_is_let_in] :
       {std::pair("before.pem", true), std::pair("after.pem", false)}) {
    const TlsServer server(judge, {.certificate = "server/localhost.crt",
                                   .key = "server/localhost.key",
                                   .client_ca = "ca/ca-cert.pem",
                                   .crl = crl});
    const TlsAnswer good = answer(server, "good");
    EXPECT_TRUE(good.accepted) << crl << ": " << good.said << server.log();
    const TlsAnswer stolen = answer(server, "stolen");
    EXPECT_EQ(stolen.accepted, stolen_is_let_in) << crl << ": " << stolen.said << server.log();
    EXPECT_EQ(server.log().find("certificate revoked") == std::string::npos, stolen_is_let_in);
  }
}

std::string case_name(const testing::TestParamInfo<Case>& of) {
  std::string text =
      fmt::format("{}_{}", imprint::test::program(std::get<0>(of.param)), std::get<1>(of.param));
  std::erase_if(text, [](char c) { return c == ':' || c == '-'; });
  return text;
}

INSTANTIATE_TEST_SUITE_P(Judges, RevocationInTls,
                         testing::Combine(testing::Values(TlsJudge::nginx, TlsJudge::openssl),
                                          testing::Values("ec:P-256", "ec:P-384", "rsa:2048",
                                                          "ed25519")),
                         case_name);

}  // namespace
}  // namespace imprint::cli::test
