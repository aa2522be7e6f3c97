// The certificates of `imprint keygen` at work: served by nginx, asked for by curl (OpenSSL) and
// gnutls-cli with nothing but server.crt as trust, under each of their names, before, during and
// after a rotation.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "keygen_fixture.hpp"
#include "support/tls_server.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::TlsJudge;
using imprint::test::TlsServer;

class KeygenTls : public KeygenTest {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("nginx");
    IMPRINT_NEED_COMMAND("curl");
  }

  static TlsServer serve(const fs::path& folder) {
    return TlsServer(
        TlsJudge::nginx,
        {.certificate = folder / "cert.crt", .key = folder / "private.key", .client_ca = {}});
  }

  static bool reaches(const TlsServer& server, const std::string& host, const fs::path& trust) {
    const auto answer = run_command({"curl", "--silent", "--show-error", "--max-time", "20",
                                     "--noproxy", "*", "--cacert", trust.string(), "--connect-to",
                                     fmt::format("::127.0.0.1:{}", server.port()),
                                     fmt::format("https://{}/", host)});
    return answer.status == 0 && answer.out == "welcome\n";
  }

  static bool gnutls_reaches(const TlsServer& server, const std::string& host,
                             const fs::path& trust) {
    return run_command({"gnutls-cli", "--x509cafile", trust.string(), "--verify-hostname", host,
                        "--sni-hostname", host, "--port", std::to_string(server.port()),
                        "127.0.0.1"})
               .status == 0;
  }
};

TEST_F(KeygenTls, EveryNameIsVerifiedWithServerCrtAlone) {
  ok({"keygen", "--service-key", "ed25519", "--cn", "mender.example.com", "--san",
      "DNS:*.mender.example.com,DNS:s3.example.org,IP:192.0.2.7"});
  const TlsServer server = serve("keys-generated/cert");
  const fs::path trust = "keys-generated/cert/server.crt";
  for (const char* const host :
       {"mender.example.com", "s3.mender.example.com", "s3.example.org", "192.0.2.7"}) {
    EXPECT_TRUE(reaches(server, host, trust)) << host << server.log();
  }
  for (const char* const host : {"example.com", "a.b.mender.example.com", "192.0.2.8"})
    EXPECT_FALSE(reaches(server, host, trust)) << host;
  EXPECT_FALSE(reaches(server, "mender.example.com", "/etc/ssl/certs/ca-certificates.crt"));
}

TEST_F(KeygenTls, GnuTlsTakesItToo) {
  IMPRINT_NEED_COMMAND("gnutls-cli");
  ok({"keygen", "--service-key", "ed25519", "--cn", "mender.example.com"});
  const TlsServer server = serve("keys-generated/cert");
  const fs::path trust = "keys-generated/cert/server.crt";
  EXPECT_TRUE(gnutls_reaches(server, "mender.example.com", trust));
  EXPECT_TRUE(gnutls_reaches(server, "s3.mender.example.com", trust));
  EXPECT_FALSE(gnutls_reaches(server, "example.com", trust));
}

TEST_F(KeygenTls, TheClassicTree) {
  ok({"keygen", "--service-key", "ed25519", "--layout", "classic", "--api-cn", "mender.example.com",
      "--storage-cn", "s3.example.com"});
  const fs::path certs = "keys-generated/certs";
  EXPECT_TRUE(reaches(serve(certs / "api-gateway"), "mender.example.com", certs / "server.crt"));
  EXPECT_TRUE(reaches(serve(certs / "storage-proxy"), "s3.example.com", certs / "server.crt"));
  EXPECT_FALSE(reaches(serve(certs / "storage-proxy"), "mender.example.com", certs / "server.crt"));
}

TEST_F(KeygenTls, BelowAnIntermediateTheRootIsEnough) {
  ok({"ca", "init", "root", "--cn", "Test Root"});
  ok({"ca", "init", "ca", "--cn", "Test Issuing", "--parent", "root"});
  ok({"keygen", "--service-key", "ed25519", "--cn", "mender.example.com", "--ca", "ca"});
  EXPECT_TRUE(reaches(serve("keys-generated/cert"), "s3.mender.example.com",
                      "keys-generated/cert/server.crt"));
}

// What devices have at each step reaches what the server uses at that step and the next.
TEST_F(KeygenTls, NobodyIsLockedOutByARotation) {
  const fs::path cert = "keys-generated/cert";
  const auto keep_trust = [&cert](const std::string& name) {
    fs::copy_file(cert / "server.crt", name);
    return fs::path(name);
  };
  ok({"keygen", "--service-key", "ed25519", "--cn", "mender.example.com"});
  const fs::path before = keep_trust("before.crt");
  ok({"keygen", "rotate"});
  const fs::path both = keep_trust("both.crt");
  {
    const TlsServer old = serve(cert);
    EXPECT_TRUE(reaches(old, "mender.example.com", before));
    EXPECT_TRUE(reaches(old, "s3.mender.example.com", both));
  }
  ok({"keygen", "rotate", "--switch"});
  {
    const TlsServer next = serve(cert);
    EXPECT_FALSE(reaches(next, "mender.example.com", before)) << "it is another certificate";
    EXPECT_TRUE(reaches(next, "s3.mender.example.com", both));
    EXPECT_TRUE(reaches(serve(cert / "old"), "mender.example.com", both));
  }
  ok({"keygen", "rotate", "--finish"});
  const TlsServer next = serve(cert);
  EXPECT_TRUE(reaches(next, "s3.mender.example.com", both));
  EXPECT_TRUE(reaches(next, "s3.mender.example.com", cert / "server.crt"));
}

}  // namespace
}  // namespace imprint::cli::test
