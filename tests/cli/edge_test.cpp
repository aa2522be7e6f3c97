// The edge's bundle: nginx runs with its very configuration and lets in whom it should; the other
// files are read as their programs read them.

#include <arpa/inet.h>
#include <csignal>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;
using imprint::test::Process;
using imprint::test::program_path;
using imprint::test::TempDir;
using imprint::test::wait_until;
using testing::HasSubstr;
using testing::Not;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(fd, any, size), 0);
  EXPECT_EQ(::getsockname(fd, any, &size), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

bool answers(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

CommandResult ok(const std::vector<std::string>& arguments) {
  CommandResult result = imprint(arguments);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
  return result;
}

class Edge : public testing::Test {
 protected:
  Edge() : before_(fs::current_path()) { fs::current_path(dir_.path()); }

  ~Edge() override {
    stop_edge();
    fs::current_path(before_);
  }

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

  std::vector<std::string> edge_command(const std::string& ca, std::vector<std::string> more = {}) {
    port_ = free_port();
    std::vector<std::string> command = {"edge",
                                        "--ca",
                                        ca,
                                        "--cn",
                                        "mtls.example.com",
                                        "--listen",
                                        fmt::format("127.0.0.1:{}", port_)};
    if (backend_port_ != 0) {
      command.push_back("--backend");
      command.push_back(fmt::format("http://127.0.0.1:{}", backend_port_));
    }
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  TempDir dir_;
  fs::path before_;
  std::uint16_t port_ = 0;
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

TEST_F(Edge, LetsInWhoHasACertificateOfARootAndNobodyElse) {
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
  ok(edge_command("ca"));
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

TEST_F(Edge, LetsInDevicesOfAnIntermediateThatSendTheirOwnCertificateAlone) {
  IMPRINT_NEED_COMMAND("nginx");
  IMPRINT_NEED_COMMAND("curl");
  start_backend();
  ok({"ca", "init", "root", "--cn", "Root"});
  ok({"ca", "init", "line", "--cn", "Line 1", "--parent", "root"});
  ok({"ca", "issue-device", "line", "--id", "unit"});
  ok({"ca", "issue-device", "line", "--id", "stolen"});
  ok({"ca", "issue-device", "root", "--id", "of-root"});
  ok({"ca", "revoke", "line", "--id", "stolen"});
  ok(edge_command("line"));
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

TEST_F(Edge, TakesRequestsThatNginxPutsIntoItsTemporaryFiles) {
  IMPRINT_NEED_COMMAND("nginx");
  IMPRINT_NEED_COMMAND("curl");
  if (::geteuid() != 0) GTEST_SKIP() << "nginx gives up rights only when root has started it";
  fs::permissions(dir_.path(), fs::perms{0755});
  start_backend();
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "issue-device", "ca", "--id", "unit"});
  ok(edge_command("ca"));
  fs::copy_file("ca/ca-cert.pem", "edge/trust.pem");
  dir_.write("body", std::string(60'000, 'x'));
  start_edge();
  EXPECT_THAT(ask("unit", "/api/devices/v1/x", {"--data-binary", "@body"}), HasSubstr(" 200"))
      << slurp("edge.log");
}

TEST_F(Edge, ItsFilesAreThereWithTheirModes) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  const auto made = ok(edge_command("ca", {"--san", "IP:192.0.2.7"}));
  EXPECT_THAT(made.err, HasSubstr("no --backend: the files name https://mender-backend.invalid"));
  const std::vector<std::pair<const char*, unsigned>> wanted = {{"server.key", 0600},
                                                                {"server.crt", 0644},
                                                                {"ca.crt", 0644},
                                                                {"blacklist", 0644},
                                                                {"revoked.map", 0644},
                                                                {"devices.crl.pem", 0644},
                                                                {"nginx.conf", 0644},
                                                                {"run-nginx.sh", 0755},
                                                                {"mender-gateway.env", 0600},
                                                                {"run-mender-gateway.sh", 0755},
                                                                {"mtls-ambassador.env", 0600},
                                                                {"run-mtls-ambassador.sh", 0755}};
  for (const auto& [name, mode] : wanted)
    EXPECT_EQ(mode_of(fs::path("edge") / name), mode) << name;
  EXPECT_EQ(mode_of("edge"), 0755U);
  ok(edge_command("ca", {"--out", "servers/edge"}));
  EXPECT_EQ(mode_of("servers"), 0755U);
  const auto count = std::distance(fs::directory_iterator("edge"), fs::directory_iterator());
  EXPECT_EQ(static_cast<std::size_t>(count), wanted.size());
  for (const char* name : {"mtls.example.com", "192.0.2.7"}) {
    const bool address = std::string_view(name).starts_with('1');
    openssl({"verify", "-CAfile", "ca/ca-cert.pem", "-purpose", "sslserver",
             address ? "-verify_ip" : "-verify_hostname", name, "edge/server.crt"});
  }
  openssl({"crl", "-in", "edge/devices.crl.pem", "-CAfile", "ca/ca-cert.pem", "-noout"});
  EXPECT_EQ(slurp("edge/ca.crt"), slurp("ca/ca-cert.pem"));
  const auto listed = ok({"ledger", "list", "ca/ledger.db"});
  EXPECT_THAT(listed.out, HasSubstr("mtls.example.com"));
}

/// NAME=value as docker reads a file of variables: lines with # in front are comments, a value is
/// everything after the first = and stays as it is. By sed, not by us.
std::string variable(const std::string& file, const std::string& name) {
  const auto result =
      run_command({"sed", "-n", "-e", "/^#/d", "-e", fmt::format("s/^{}=//p", name), file});
  EXPECT_EQ(result.status, 0) << result.err;
  return result.out;
}

TEST_F(Edge, ItsVariablesAreThoseOfTheGatewayAndTheAmbassador) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca", {"--backend", "https://mender.example.com/"}));
  const std::string gateway = "edge/mender-gateway.env";
  EXPECT_EQ(variable(gateway, "UPSTREAM_SERVER_URL"), "https://mender.example.com\n");
  EXPECT_EQ(variable(gateway, "UPSTREAM_SERVER_INSECURE_SKIP_VERIFY"), "false\n");
  EXPECT_EQ(variable(gateway, "MTLS_ENABLED"), "true\n");
  EXPECT_EQ(variable(gateway, "HTTPS_ENABLED"), "true\n");
  EXPECT_EQ(variable(gateway, "HTTPS_LISTEN"), ":8443\n");
  EXPECT_EQ(variable(gateway, "HTTPS_MINIMUM_TLS_VERSION"), "1.2\n");
  EXPECT_EQ(variable(gateway, "MTLS_MENDER_USERNAME"), "\n");
  EXPECT_EQ(variable(gateway, "MTLS_MENDER_PASSWORD"), "\n");
  const std::string ambassador = "edge/mtls-ambassador.env";
  EXPECT_EQ(variable(ambassador, "MTLS_MENDER_BACKEND"), "https://mender.example.com\n");
  EXPECT_EQ(variable(ambassador, "MTLS_MENDER_USER"), "\n");
  EXPECT_EQ(variable(ambassador, "MTLS_MENDER_PASS"), "\n");
  EXPECT_EQ(variable(ambassador, "MTLS_INSECURE_SKIP_VERIFY"), "false\n");
  // What a variable names is what the start script puts there.
  const auto mounted = [](const std::string& env, const std::string& name,
                          const std::string& script) {
    std::string path = variable(env, name);
    path.pop_back();
    EXPECT_THAT(slurp(script), HasSubstr(":" + path + ":ro")) << name;
  };
  for (const char* name : {"MTLS_CA_CERTIFICATE", "MTLS_BLACKLIST_PATH", "HTTPS_SERVER_CERTIFICATE",
                           "HTTPS_SERVER_KEY"})
    mounted(gateway, name, "edge/run-mender-gateway.sh");
  for (const char* name : {"MTLS_SERVER_CERT", "MTLS_SERVER_KEY", "MTLS_TENANT_CA_PEM"})
    mounted(ambassador, name, "edge/run-mtls-ambassador.sh");
  // Every line is a comment or NAME=value without quotes or spaces around.
  for (const std::string& file : {gateway, ambassador}) {
    EXPECT_EQ(run_command({"grep", "-vcE", "^(#.*|[A-Z_]+=[^ \"']*)$", file}).out, "0\n") << file;
  }
}

TEST_F(Edge, ItsScriptsStartNothingWithoutCredentials) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  for (const std::string name : {"mender-gateway", "mtls-ambassador"}) {
    const auto started = run_command({fmt::format("edge/run-{}.sh", name)});
    EXPECT_EQ(started.status, 1);
    EXPECT_THAT(started.err, HasSubstr(" is empty in "));
    EXPECT_EQ(run_command({"sh", "-n", fmt::format("edge/run-{}.sh", name)}).status, 0);
  }
}

TEST_F(Edge, TakesACertificateAndKeyThatAreThere) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "init", "web", "--cn", "Web CA"});
  ok({"ca", "issue-server", "web", "--cn", "mtls.example.com"});
  ok({"ca", "issue-server", "web", "--cn", "other.example.com"});
  ok({"ca", "issue-device", "web", "--id", "unit"});
  openssl({"pkey", "-in", "mtls.example.com.key", "-aes256", "-passout", "pass:x", "-out",
           "locked.key"});
  const auto with = [](const std::string& certificate, const std::string& key) {
    return imprint({"edge", "--ca", "ca", "--cert", certificate, "--key", key});
  };
  const auto refused = [&](const std::string& certificate, const std::string& key,
                           const std::string& message) {
    const auto result = with(certificate, key);
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr("imprint: error: " + message));
    EXPECT_FALSE(fs::exists("edge"));
  };
  refused("mtls.example.com.crt", "other.example.com.key",
          "--key 'other.example.com.key' does not belong to the certificate "
          "'mtls.example.com.crt'\n");
  refused("mtls.example.com.crt", "locked.key",
          "--key 'locked.key': the key is encrypted, and the "
          "servers have no passphrase for it: decrypt it "
          "first\n");
  refused("unit.crt", "unit.key",
          "--cert 'unit.crt': is not a TLS server's certificate (extendedKeyUsage)\n");
  refused(
      "ca/ca-cert.pem", "ca/ca-private.key",
      "--cert 'ca/ca-cert.pem': is the certificate of a CA, whose key has no place on a server: "
      "give one that the CA has issued for the server (imprint ca issue-server)\n");
  // The CA's key under a certificate that does not say so.
  openssl({"req", "-new", "-key", "ca/ca-private.key", "-subj", "/CN=mtls.example.com", "-out",
           "of-ca-key.csr"});
  openssl({"x509", "-req", "-in", "of-ca-key.csr", "-CA", "web/ca-cert.pem", "-CAkey",
           "web/ca-private.key", "-days", "365", "-out", "of-ca-key.crt"});
  refused("of-ca-key.crt", "ca/ca-private.key",
          "--key 'ca/ca-private.key': is the key of the devices' CA or of one above it, which has "
          "no place on a server\n");
  refused("gone.crt", "unit.key", "--cert 'gone.crt': ");
  refused("mtls.example.com.key", "mtls.example.com.key", "--cert 'mtls.example.com.key': ");

  // The devices' CA key need not be here; then there is no CRL.
  fs::rename("ca/ca-private.key", "elsewhere.key");
  const auto made = with("mtls.example.com.crt", "mtls.example.com.key");
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("the CA's key is not there: no devices.crl.pem, only the "
                                  "blacklist"));
  EXPECT_EQ(slurp("edge/server.key"), slurp("mtls.example.com.key"));
  EXPECT_EQ(slurp("edge/server.crt"), slurp("mtls.example.com.crt"));
  EXPECT_FALSE(fs::exists("edge/devices.crl.pem"));
  EXPECT_EQ(slurp("edge/blacklist"), "");
}

TEST_F(Edge, WarnsOfAGivenCertificateThatWillNotDo) {
  IMPRINT_NEED_COMMAND("openssl");
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", "web.key", "-subj", "/CN=mtls.example.com", "-out", "web.csr"});
  const auto made = [](const std::string& days, const std::string& out) {
    openssl({"x509", "-req", "-in", "web.csr", "-signkey", "web.key", "-days", days, "-out",
             "web.crt"});
    return ok({"edge", "--ca", "ca", "--cert", "web.crt", "--key", "web.key", "--out", out}).err;
  };
  const std::string no_name =
      "imprint: warning: --cert 'web.crt' has no host name or address as subjectAltName, and "
      "Mender's clients look for the server's name there\n";
  const std::string soon = "within 90 days: devices refuse the edge then\n";
  EXPECT_THAT(made("30", "a"), testing::AllOf(HasSubstr(no_name), HasSubstr(soon)));
  EXPECT_THAT(made("365", "b"), testing::AllOf(HasSubstr(no_name), Not(HasSubstr(soon))));
  ok({"ca", "issue-server", "ca", "--cn", "named.example.com"});
  EXPECT_THAT(ok({"edge", "--ca", "ca", "--cert", "named.example.com.crt", "--key",
                  "named.example.com.key", "--out", "c"})
                  .err,
              Not(HasSubstr("warning")));
}

TEST_F(Edge, RefusesWhatCannotWorkAndWritesNothing) {
  ok({"ca", "init", "ca", "--cn", "Device CA", "--days", "100"});
  const auto refused = [](std::vector<std::string> more, const std::string& message,
                          int status = 2) {
    std::vector<std::string> command = {"edge", "--ca", "ca"};
    command.insert(command.end(), more.begin(), more.end());
    const auto result = imprint(command);
    EXPECT_EQ(result.status, status) << result.err;
    EXPECT_THAT(result.err, HasSubstr("imprint: error: " + message));
    EXPECT_FALSE(fs::exists("edge"));
  };
  refused({},
          "say what the server is called: --cn NAME, for a certificate of this CA, or give "
          "--cert FILE --key FILE\n");
  refused({"--cn", "not a host"}, "--cn 'not a host' is neither a host name nor an address");
  refused({"--cn", "a.example", "--san", "a_b.example"}, "--san 'a_b.example': ");
  refused({"--cn", "a.example", "--san", "*.*.example"}, "--san '*.*.example': ");
  refused({"--cn", "*.de"},
          "--cn: '*.de' is a wildcard over a single label, which clients refuse; give two labels "
          "at least after it, like *.example.com\n");
  refused({"--cn", "a.example", "--san", "DNS:*.de"},
          "--san: '*.de' is a wildcard over a single label");
  refused({"--cn", "a.example", "--days", "200"}, "--days: ");
  refused({"--cn", "a.example", "--backend", "mender.example.com"},
          "--backend 'mender.example.com': a server's URL begins with https://\n");
  for (const auto& [letter, code] : std::vector<std::pair<std::string, std::string>>{
           {"$", "24"}, {";", "3B"}, {"\"", "22"}, {"{", "7B"}, {"}", "7D"}, {" ", "20"}}) {
    const std::string url = "https://mender.example.com/a" + letter + "b";
    refused({"--cn", "a.example", "--backend", url},
            fmt::format("--backend '{}': '{}' cannot stand in the URL, since nginx and docker take "
                        "it for their own; write it as %{}\n",
                        url, letter, code));
  }
  refused({"--cn", "a.example", "--backend", "https://mender.example.com/a'b"}, "--backend ");
  refused({"--cn", "a.example", "--listen", "no port"},
          "--listen 'no port': a port is expected, or ADDRESS:PORT\n");
  refused({"--cn", "a.example", "--ledger", "gone.db"},
          "there is no ledger 'gone.db': without the right one the lists of revoked certificates "
          "would be empty (a batch writes it into its output folder)\n");
  refused({"--refresh"},
          "'edge' holds no bundle to refresh: make it with 'imprint edge' without "
          "--refresh\n");
  EXPECT_EQ(imprint({"edge", "--ca", "gone", "--cn", "a.example"}).status, 2);
  dir_.write("file", "");
  EXPECT_NE(imprint({"edge", "--ca", "ca", "--cn", "a.example", "--days", "50", "--out", "file/x"})
                .status,
            0);
}

TEST_F(Edge, NeverOverwritesUnlessToldTo) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  const std::string key = slurp("edge/server.key");
  dir_.write("edge/notes.txt", "mine\n");
  const auto again = imprint(edge_command("ca"));
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(
      again.err,
      "imprint: error: 'edge/server.key' exists and is not overwritten; use --refresh to renew "
      "the lists of revoked certificates, --force to replace all, or choose another folder "
      "with --out\n");
  EXPECT_EQ(slurp("edge/server.key"), key);
  ok(edge_command("ca", {"--force"}));
  EXPECT_NE(slurp("edge/server.key"), key);
  EXPECT_EQ(slurp("edge/notes.txt"), "mine\n");
  EXPECT_EQ(mode_of("edge/server.key"), 0600U);
  // What a refused run would have left: no certificate that nobody has.
  EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices"), "2");
}

TEST_F(Edge, ARefreshNeedsTheKeyOfTheCrlAndTheLedger) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok(edge_command("ca"));
  const std::string crl = slurp("edge/devices.crl.pem");
  fs::rename("ca/ca-private.key", "elsewhere.key");
  const auto refused = imprint({"edge", "--ca", "ca", "--refresh"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.err,
            "imprint: error: 'edge/devices.crl.pem' needs the CA's key, which is not "
            "there: refresh where it is\n");
  EXPECT_EQ(slurp("edge/devices.crl.pem"), crl);
  fs::rename("elsewhere.key", "ca/ca-private.key");
  fs::remove("ca/ledger.db");
  EXPECT_THAT(imprint({"edge", "--ca", "ca", "--refresh"}).err,
              HasSubstr("there is no ledger 'ca/ledger.db'"));
}

TEST_F(Edge, ReplacingItWithAnotherLedgerLetsNobodyInAgain) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  for (const std::string id : {"stolen-1", "stolen-2"}) {
    ok({"ca", "issue-device", "ca", "--id", id});
    ok({"ca", "revoke", "ca", "--id", id});
  }
  ok(edge_command("ca"));
  fs::rename("ca/ledger.db", "elsewhere.db");
  const std::string blacklist = slurp("edge/blacklist");
  const std::string key = slurp("edge/server.key");
  const auto refused = imprint(edge_command("ca", {"--force"}));
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err,
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

TEST_F(Edge, ARefreshWithAnotherLedgerLetsNobodyInAgain) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "issue-device", "ca", "--id", "stolen"});
  ok({"ca", "revoke", "ca", "--id", "stolen"});
  ok(edge_command("ca", {"--out", "with-crl"}));
  ok({"ca", "init", "web", "--cn", "Web CA"});
  ok({"ca", "issue-server", "web", "--cn", "mtls.example.com"});
  fs::rename("ca/ca-private.key", "elsewhere.key");
  ok({"edge", "--ca", "ca", "--cert", "mtls.example.com.crt", "--key", "mtls.example.com.key",
      "--out", "without-crl"});
  const auto refused = [](const std::string& bundle) {
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
  refused("without-crl");
  fs::rename("elsewhere.key", "ca/ca-private.key");
  const std::string crl = slurp("with-crl/devices.crl.pem");
  refused("with-crl");
  EXPECT_EQ(slurp("with-crl/devices.crl.pem"), crl);
}

TEST_F(Edge, ARefreshWhoseCrlCannotBeMadeChangesNothing) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  ok({"ca", "issue-device", "ca", "--id", "stolen"});
  ok(edge_command("ca"));
  ok({"ca", "revoke", "ca", "--id", "stolen"});
  dir_.write("edge/devices.crl.pem", "something else\n");
  const auto refused = imprint({"edge", "--ca", "ca", "--refresh"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("'edge/devices.crl.pem' exists and is no CRL"));
  EXPECT_EQ(slurp("edge/blacklist"), "");
  EXPECT_EQ(slurp("edge/devices.crl.pem"), "something else\n");
}

TEST_F(Edge, AsksForThePassphraseOnce) {
  ::setenv("IMPRINT_EDGE_PASS", "correct horse", 1);
  ok({"ca", "init", "ca", "--cn", "Device CA", "--passphrase", "env:IMPRINT_EDGE_PASS"});
  ::setenv("IMPRINT_EDGE_PASS", "correct horse", 1);
  ok(edge_command("ca", {"--ca-passphrase", "env:IMPRINT_EDGE_PASS"}));
  EXPECT_TRUE(fs::exists("edge/devices.crl.pem"));
}

TEST_F(Edge, TellsMachinesToo) {
  ok({"ca", "init", "ca", "--cn", "Device CA"});
  const Json record = Json::parse(ok(edge_command("ca", {"--json"})).out);
  EXPECT_EQ(record["version"], 1);
  EXPECT_EQ(record["server_subject"], "CN=mtls.example.com");
  EXPECT_EQ(record["revoked"], 0);
  EXPECT_EQ(record["files"].size(), 12U);
}

}  // namespace
}  // namespace imprint::cli::test
