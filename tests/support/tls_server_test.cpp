// The judges tell whom a CA knows from whom it does not; everything is made by openssl.

#include "support/tls_server.hpp"

#include <gtest/gtest.h>

#include "support/command.hpp"

namespace imprint::test {
namespace {

class TlsServerTest : public testing::TestWithParam<TlsJudge> {
 protected:
  /// `name`.pem and `name`.key: self-signed, or by another one's.
  void make(const std::string& name, const std::string& subject, const std::string& issuer = {}) {
    std::vector<std::string> command = {"openssl",
                                        "req",
                                        "-x509",
                                        "-newkey",
                                        "ec",
                                        "-pkeyopt",
                                        "ec_paramgen_curve:P-256",
                                        "-nodes",
                                        "-subj",
                                        subject,
                                        "-keyout",
                                        path(name, ".key"),
                                        "-out",
                                        path(name, ".pem"),
                                        "-addext",
                                        "subjectAltName=DNS:localhost"};
    if (!issuer.empty()) {
      for (const std::string& word :
           {std::string("-CA"), path(issuer, ".pem"), std::string("-CAkey"), path(issuer, ".key"),
            std::string("-addext"), std::string("basicConstraints=critical,CA:FALSE")})
        command.push_back(word);
    }
    const CommandResult made = run_command(command);
    ASSERT_EQ(made.status, 0) << made.err;
  }

  [[nodiscard]] std::string path(const std::string& name, const std::string& extension) const {
    return (dir_ / (name + extension)).string();
  }

  TempDir dir_;
};

TEST_P(TlsServerTest, AcceptsClientsOfItsCaOnly) {
  IMPRINT_NEED_COMMAND(program(GetParam()));
  IMPRINT_NEED_COMMAND("openssl");
  IMPRINT_NEED_COMMAND("curl");
  make("ca", "/CN=Test CA");
  make("server", "/CN=server", "ca");
  make("client", "/CN=client", "ca");
  make("other", "/CN=Other CA");
  make("stranger", "/CN=stranger", "other");
  const TlsServer server(GetParam(), {.certificate = path("server", ".pem"),
                                      .key = path("server", ".key"),
                                      .client_ca = path("ca", ".pem")});
  const auto ask_as = [&](const std::string& name) {
    return ask(server, {.certificate = path(name, ".pem"),
                        .key = path(name, ".key"),
                        .server_ca = path("ca", ".pem")});
  };
  const TlsAnswer known = ask_as("client");
  EXPECT_TRUE(known.accepted) << known.said << server.log();
  const TlsAnswer stranger = ask_as("stranger");
  EXPECT_FALSE(stranger.accepted) << stranger.said << server.log();
}

INSTANTIATE_TEST_SUITE_P(Judges, TlsServerTest, testing::Values(TlsJudge::nginx, TlsJudge::openssl),
                         [](const auto& judge) { return std::string(program(judge.param)); });

}  // namespace
}  // namespace imprint::test
