#include "handshake_fixture.hpp"

#include <csignal>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "support/loopback.hpp"

namespace imprint::cli::test {

using imprint::test::answers;
using imprint::test::free_port;
using imprint::test::Process;
using imprint::test::program_path;
using imprint::test::wait_until;

namespace {

void put_port(std::string& text, std::uint16_t port) {
  constexpr std::string_view kPlace = "PORT";
  if (const auto at = text.find(kPlace); at != std::string::npos)
    text.replace(at, kPlace.size(), std::to_string(port));
}

}  // namespace

void HandshakeTest::SetUp() {
  IMPRINT_NEED_FILES_TOOLS();
  IMPRINT_NEED_COMMAND("openssl");
  folder_.emplace();
  done({"ca", "init", "ca", "--cn", "Device CA"});
  done({"ca", "issue-server", "ca", "--cn", "mtls.example.com", "--san", "IP:127.0.0.1", "--output",
        "server"});
  done({"inject", "x.sdimg", "--id", "unit-1", "--ca", "ca", "--server-url",
        "https://mtls.example.com", "--server-certificate", "ca/ca-cert.pem"});
}

void HandshakeTest::TearDown() {
  stop();
}

std::string HandshakeTest::done(const std::vector<std::string>& arguments) {
  const CommandResult result = imprint(arguments);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
  return result.out;
}

void HandshakeTest::give_identity(const std::string& ca, const std::string& name,
                                  const std::string& key) {
  done({"ca", "issue-device", ca, "--id", name, "--key", key, "--output", "devices"});
  done({"inject", "x.sdimg", "--id", name, "--cert", "devices/" + name + ".crt", "--key",
        "devices/" + name + ".key", "--force"});
}

void HandshakeTest::put(const std::string& file, const std::string& path,
                        const std::string& rootfs) {
  done({"cp", "--rootfs", rootfs, file, "x.sdimg:" + path});
}

void HandshakeTest::start(std::vector<std::string> command) {
  stop();
  port_ = free_port();
  for (std::string& word : command)
    put_port(word, port_);
  command.front() = program_path(command.front());
  server_ = std::make_unique<Process>(command, "server.log");
  ASSERT_TRUE(wait_until([this] { return !server_->running() || answers(port_); }));
  ASSERT_TRUE(server_->running()) << server_log();
}

void HandshakeTest::start_openssl(const std::vector<std::string>& more,
                                  const std::string& ca_file) {
  std::vector<std::string> command = {"openssl",
                                      "s_server",
                                      "-accept",
                                      "127.0.0.1:PORT",
                                      "-cert",
                                      "server/mtls.example.com.crt",
                                      "-key",
                                      "server/mtls.example.com.key",
                                      "-CAfile",
                                      ca_file.empty() ? "ca/ca-cert.pem" : ca_file,
                                      "-Verify",
                                      "4",
                                      "-verify_return_error",
                                      "-www"};
  command.insert(command.end(), more.begin(), more.end());
  start(std::move(command));
}

void HandshakeTest::start_nginx(const std::string& server_block) {
  stop();
  port_ = free_port();
  std::string text =
      "daemon off;\nmaster_process off;\npid nginx-pid;\nevents {}\nhttp {\naccess_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    text += fmt::format("{0}_temp_path nginx-{0};\n", kind);
  text += "server {\n" + server_block + "\n}\n}\n";
  put_port(text, port_);
  folder_->write("nginx.conf", text);
  const std::string folder = fs::current_path().string();
  server_ =
      std::make_unique<Process>(std::vector<std::string>{program_path("nginx"), "-p", folder, "-e",
                                                         "stderr", "-c", folder + "/nginx.conf"},
                                "server.log");
  ASSERT_TRUE(wait_until([this] { return !server_->running() || answers(port_); }));
  ASSERT_TRUE(server_->running()) << server_log();
}

/// nginx's master ends its workers, which a kill would leave behind.
void HandshakeTest::stop() {
  if (server_ == nullptr || !server_->running()) return;
  server_->signal(SIGTERM);
  server_->wait();
}

std::string HandshakeTest::edge() const {
  return fmt::format("127.0.0.1:{}", port_);
}

CommandResult HandshakeTest::shake(const std::vector<std::string>& more) const {
  std::vector<std::string> command = {"handshake", "x.sdimg",       "--edge",
                                      edge(),      "--server-name", "mtls.example.com"};
  command.insert(command.end(), more.begin(), more.end());
  return imprint(command);
}

Json HandshakeTest::shake_json(int status, const std::vector<std::string>& more) const {
  std::vector<std::string> all = {"--json"};
  all.insert(all.end(), more.begin(), more.end());
  const CommandResult result = shake(all);
  EXPECT_EQ(result.status, status) << result.out << result.err << server_log();
  const Json document = Json::parse(result.out, nullptr, false);
  EXPECT_TRUE(document.is_object()) << result.out;
  if (!document.is_object()) return Json::array({Json::object()});
  EXPECT_EQ(document.at("version"), 1);
  EXPECT_EQ(document.at("image"), "x.sdimg");
  return document.at("handshakes");
}

std::string HandshakeTest::refusal(int status, const std::vector<std::string>& more) const {
  const CommandResult result = shake(more);
  EXPECT_EQ(result.status, status) << result.out << result.err;
  constexpr std::string_view kBegin = "imprint: error: ";
  EXPECT_THAT(result.err, testing::StartsWith(std::string(kBegin)));
  EXPECT_EQ(result.err.find('\n') + 1, result.err.size()) << result.err;
  if (!result.err.starts_with(kBegin)) return result.err;
  return result.err.substr(kBegin.size(), result.err.size() - kBegin.size() - 1);
}

}  // namespace imprint::cli::test
