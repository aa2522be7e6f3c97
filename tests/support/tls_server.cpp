#include "support/tls_server.hpp"

#include <array>
#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/loopback.hpp"

namespace imprint::test {

namespace {

namespace fs = std::filesystem;

/// One process in the foreground, with every file that nginx would keep under /var in `dir`.
std::string nginx_configuration(const TempDir& dir, std::uint16_t port,
                                const TlsServerFiles& files) {
  std::string temporary;
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    temporary += fmt::format("  {}_temp_path {};\n", kind, (dir / kind).string());
  const std::string asks = files.client_ca.empty()
                               ? ""
                               : fmt::format(
                                     "    ssl_client_certificate {};\n    ssl_verify_client on;\n"
                                     "    ssl_verify_depth 4;\n",
                                     fs::absolute(files.client_ca).string());
  return fmt::format(
      "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log stderr info;\n"
      "events {{}}\nhttp {{\n  access_log off;\n{1}"
      "  server {{\n    listen 127.0.0.1:{2} ssl;\n"
      "    ssl_certificate {3};\n    ssl_certificate_key {4};\n"
      "{5}{6}"
      "    location / {{ return 200 \"welcome\\n\"; }}\n  }}\n}}\n",
      dir.path().string(), temporary, port, fs::absolute(files.certificate).string(),
      fs::absolute(files.key).string(), asks,
      files.crl ? fmt::format("    ssl_crl {};\n", fs::absolute(*files.crl).string())
                : std::string());
}

std::vector<std::string> nginx_command(const TempDir& dir, std::uint16_t port,
                                       const TlsServerFiles& files) {
  const fs::path configuration = dir.write("nginx.conf", nginx_configuration(dir, port, files));
  // -e: before it has read the configuration it would open /var/log/nginx.
  return {program_path("nginx"), "-p", dir.path().string(), "-e", "stderr", "-c",
          configuration.string()};
}

std::vector<std::string> openssl_command(std::uint16_t port, const TlsServerFiles& files) {
  std::vector<std::string> command = {program_path("openssl"),
                                      "s_server",
                                      "-accept",
                                      fmt::format("127.0.0.1:{}", port),
                                      "-cert_chain",
                                      files.certificate,
                                      "-cert",
                                      files.certificate,
                                      "-key",
                                      files.key,
                                      "-CAfile",
                                      files.client_ca,
                                      "-Verify",
                                      "4",
                                      "-verify_return_error",
                                      "-www"};
  if (files.crl) {
    for (std::string word :
         {std::string("-CRL"), files.crl->string(), std::string("-crl_check_all")})
      command.push_back(std::move(word));
  }
  return command;
}

}  // namespace

const char* program(TlsJudge judge) noexcept {
  return judge == TlsJudge::nginx ? "nginx" : "openssl";
}

TlsServer::TlsServer(TlsJudge judge, const TlsServerFiles& files) {
  constexpr int kAttempts = 3;  // when others took the port
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (start(judge, files)) return;
  }
  ADD_FAILURE() << program(judge) << " does not start: " << log();
}

bool TlsServer::start(TlsJudge judge, const TlsServerFiles& files) {
  port_ = free_port();
  process_ = std::make_unique<Process>(
      judge == TlsJudge::nginx ? nginx_command(dir_, port_, files) : openssl_command(port_, files),
      dir_ / "log");
  return wait_until([this] { return !process_->running() || answers(port_); }) &&
         process_->running();
}

std::string TlsServer::log() const {
  return slurp(dir_ / "log");
}

TlsAnswer ask(const TlsServer& server, const TlsClientFiles& client) {
  const CommandResult result =
      run_command({"curl",
                   "--silent",
                   "--show-error",
                   "--max-time",
                   "20",
                   "--noproxy",
                   "*",
                   "--output",
                   "/dev/null",
                   "--write-out",
                   "%{http_code} %{ssl_verify_result}",
                   "--cert",
                   client.certificate.string(),
                   "--key",
                   client.key.string(),
                   "--cacert",
                   client.server_ca.string(),
                   "--resolve",
                   fmt::format("{}:{}:127.0.0.1", client.host, server.port()),
                   fmt::format("https://{}:{}/", client.host, server.port())});
  return {.accepted = result.status == 0 && result.out.starts_with("200 "),
          .said = result.out + " " + result.err};
}

}  // namespace imprint::test
