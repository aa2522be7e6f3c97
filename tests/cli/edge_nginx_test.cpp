// nginx runs with the very configuration of a bundle and lets in whom it should.

#include <csignal>

#include "edge_fixture.hpp"
#include "support/loopback.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::answers;
using imprint::test::free_port;
using imprint::test::openssl;
using imprint::test::Process;
using imprint::test::program_path;
using imprint::test::wait_until;

class EdgeNginx : public Edge {
 protected:
  ~EdgeNginx() override { stop_edge(); }

  /// The master ends its workers, which a kill would leave behind.
  void stop_edge() {
    if (edge_ == nullptr || !edge_->running()) return;
    edge_->signal(SIGTERM);
    edge_->wait();
  }

  /// A server in the place of Mender's: says which headers it got.
  void start_backend() {
    backend_port_ = free_port();
    std::string temporary;
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      temporary += fmt::format("  {0}_temp_path b-{0};\n", kind);
    dir_.write("backend.conf",
               fmt::format("daemon off;\nmaster_process off;\npid b-pid;\nevents {{}}\nhttp {{\n"
                           "  access_log off;\n{}  server {{\n    listen 127.0.0.1:{};\n"
                           "    location / {{ return 200 \"$request_uri "
                           "fingerprint=$http_x_ssl_client_fingerprint "
                           "serial=$http_x_ssl_client_serial\\n\"; }}\n  }}\n}}\n",
                           temporary, backend_port_));
    backend_ = std::make_unique<Process>(
        std::vector<std::string>{program_path("nginx"), "-p", dir_.path().string(), "-e", "stderr",
                                 "-c", (dir_ / "backend.conf").string()},
        dir_ / "backend.log");
    ASSERT_TRUE(wait_until([this] { return answers(backend_port_); })) << slurp("backend.log");
  }

  /// The bundle's own start script.
  void start_edge() {
    edge_ = std::make_unique<Process>(
        std::vector<std::string>{(fs::current_path() / "edge/run-nginx.sh").string()},
        dir_ / "edge.log");
    ASSERT_TRUE(wait_until([this] { return !edge_->running() || answers(port_); }));
    ASSERT_TRUE(edge_->running()) << slurp("edge.log");
  }

  /// HTTP status, then the body.
  [[nodiscard]] std::string ask(const std::string& device,
                                const std::string& path = "/api/devices/v1/x",
                                const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command = {"curl",
                                        "--silent",
                                        "--show-error",
                                        "--max-time",
                                        "20",
                                        "--noproxy",
                                        "*",
                                        "--write-out",
                                        " %{http_code}",
                                        "--cacert",
                                        "edge/trust.pem",
                                        "--resolve",
                                        fmt::format("mtls.example.com:{}:127.0.0.1", port_),
                                        "-H",
                                        "X-SSL-Client-Serial: forged"};
    if (!device.empty()) {
      for (const std::string& word :
           {std::string("--cert"), device + ".crt", std::string("--key"), device + ".key"})
        command.push_back(word);
    }
    command.insert(command.end(), more.begin(), more.end());
    command.push_back(fmt::format("https://mtls.example.com:{}{}", port_, path));
    const CommandResult result = run_command(command);
    return result.out + result.err;
  }

  std::vector<std::string> with_backend(const std::string& ca) {
    return edge_command(ca, {"--backend", fmt::format("http://127.0.0.1:{}", backend_port_)});
  }

  std::uint16_t backend_port_ = 0;
  std::unique_ptr<Process> backend_;
  std::unique_ptr<Process> edge_;
};

std::string fingerprint_of(const std::string& certificate) {
  const std::string line = openssl({"x509", "-in", certificate, "-noout", "-fingerprint", "-sha1"});
  std::string plain;
  for (const char c : line.substr(line.find('=') + 1)) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0)
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

TEST_F(EdgeNginx, LetsInWhoHasACertificateOfARootAndNobodyElse) {
  IMPRINT_NEED_COMMAND("nginx");
  IMPRINT_NEED_COMMAND("curl");
  start_backend();
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "init", "other", "--cn", "Device CA"});
  // No colons in the ids: curl takes what follows one for a passphrase.
  ok({"ca", "issue-device", "ca", "--id", "unit-ec", "--key", "ec:P-256"});
  ok({"ca", "issue-device", "ca", "--id", "unit-rsa", "--key", "rsa:2048"});
  ok({"ca", "issue-device", "ca", "--id", "unit-ed25519", "--key", "ed25519"});
  ok({"ca", "issue-device", "ca", "--id", "stolen"});
  ok({"ca", "issue-device", "other", "--id", "foreign"});
  ok(with_backend("ca"));
  fs::copy_file("ca/ca-cert.pem", "edge/trust.pem");
  EXPECT_THAT(slurp("edge/nginx.conf"), HasSubstr("\n    ssl_crl devices.crl.pem;\n"));
  EXPECT_THAT(slurp("edge/run-mender-gateway.sh"),
              HasSubstr(fmt::format(" -p 127.0.0.1:{}:8443 ", port_)));
  EXPECT_THAT(slurp("edge/run-mtls-ambassador.sh"),
              HasSubstr(fmt::format(" -p 127.0.0.1:{}:8080 ", port_)));
  start_edge();
  for (const std::string device : {"unit-ec", "unit-rsa", "unit-ed25519"}) {
    const std::string answer = ask(device);
    EXPECT_THAT(answer, HasSubstr(" 200")) << device << slurp("edge.log");
    EXPECT_THAT(answer,
                HasSubstr("/api/devices/v1/x fingerprint=" + fingerprint_of(device + ".crt")));
    EXPECT_THAT(answer, Not(HasSubstr("forged")));
  }
  EXPECT_THAT(ask("unit-ec", "/api/management/v1/x"), HasSubstr(" 404"));
  EXPECT_THAT(ask("stolen"), HasSubstr(" 200"));
  EXPECT_THAT(ask(""), HasSubstr(" 400"));
  EXPECT_THAT(ask("foreign"), HasSubstr(" 400"));

  // Taken back: the lists are made anew, the rest of the bundle stays as it is.
  ok({"ca", "revoke", "ca", "--id", "stolen"});
  const std::string key = slurp("edge/server.key");
  const auto refreshed = ok({"edge", "--ca", "ca", "--refresh"});
  EXPECT_THAT(refreshed.err, HasSubstr("edge/blacklist: 1 revoked certificate\n"));
  EXPECT_EQ(slurp("edge/server.key"), key);
  stop_edge();
  start_edge();
  EXPECT_THAT(ask("stolen"), HasSubstr(" 400"));
  EXPECT_THAT(ask("unit-ec"), HasSubstr(" 200"));
}

TEST_F(EdgeNginx, LetsInDevicesOfAnIntermediateThatSendTheirOwnCertificateAlone) {
  IMPRINT_NEED_COMMAND("nginx");
  IMPRINT_NEED_COMMAND("curl");
  start_backend();
  ok({"ca", "init", "root", "--cn", "Root"});
  ok({"ca", "init", "line", "--cn", "Line 1", "--parent", "root"});
  ok({"ca", "issue-device", "line", "--id", "unit"});
  ok({"ca", "issue-device", "line", "--id", "stolen"});
  ok({"ca", "issue-device", "root", "--id", "of-root"});
  ok({"ca", "revoke", "line", "--id", "stolen"});
  ok(with_backend("line"));
  EXPECT_EQ(slurp("edge/ca.crt"), slurp("line/gateway-ca.pem"));
  EXPECT_EQ(run_command({"grep", "-c", "BEGIN CERTIFICATE", "unit.crt"}).out, "1\n");
  EXPECT_EQ(run_command({"grep", "-c", "BEGIN CERTIFICATE", "edge/server.crt"}).out, "2\n");
  // nginx would want the root's CRL as well.
  EXPECT_THAT(slurp("edge/nginx.conf"), Not(HasSubstr("\n    ssl_crl ")));
  fs::copy_file("root/ca-cert.pem", "edge/trust.pem");
  start_edge();
  EXPECT_THAT(ask("unit"), HasSubstr(" 200")) << slurp("edge.log");
  EXPECT_THAT(ask("stolen"), HasSubstr("certificate revoked\n 403"));
  EXPECT_THAT(ask(""), HasSubstr(" 400"));
}

TEST_F(EdgeNginx, TakesRequestsThatNginxPutsIntoItsTemporaryFiles) {
  IMPRINT_NEED_COMMAND("nginx");
  IMPRINT_NEED_COMMAND("curl");
  if (::geteuid() != 0) GTEST_SKIP() << "nginx gives up rights only when root has started it";
  fs::permissions(dir_.path(), fs::perms{0755});
  start_backend();
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "issue-device", "ca", "--id", "unit"});
  ok(with_backend("ca"));
  fs::copy_file("ca/ca-cert.pem", "edge/trust.pem");
  dir_.write("body", std::string(60'000, 'x'));
  start_edge();
  EXPECT_THAT(ask("unit", "/api/devices/v1/x", {"--data-binary", "@body"}), HasSubstr(" 200"))
      << slurp("edge.log");
}

}  // namespace
}  // namespace imprint::cli::test
