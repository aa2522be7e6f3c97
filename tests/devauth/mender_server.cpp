#include "devauth/mender_server.hpp"

#include <algorithm>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/command.hpp"
#include "support/image_oracle.hpp"

namespace imprint::test {

MenderServer::MenderServer(const std::vector<std::string>& arguments, Tls tls) : tls_(tls) {
  if (tls != Tls::no) {
    const std::string name = tls == Tls::yes ? "IP:127.0.0.1" : "DNS:elsewhere.example.com";
    openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", dir_ / "key.pem", "-out", certificate(), "-subj", "/CN=mender", "-days",
             "30", "-addext", "subjectAltName=" + name});
  }
  EXPECT_TRUE(start(arguments)) << slurp(dir_ / "server.log");
}

bool MenderServer::start(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {
      program_path("python3"), IMPRINT_MENDER_SERVER, "--token", kToken, "--log",
      dir_ / "requests"};
  if (tls_ != Tls::no) {
    argv.insert(argv.end(), {"--certificate", certificate(), "--key", dir_ / "key.pem"});
  }
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  dir_.write("requests", "");
  process_ = std::make_unique<Process>(argv, dir_ / "server.log");
  return wait_until([&] {
           const std::string log = std::filesystem::exists(dir_ / "server.log")
                                       ? slurp(dir_ / "server.log")
                                       : std::string();
           int port = 0;
           if (log.find('\n') == std::string::npos) return !process_->running();
           if (std::sscanf(log.c_str(), "port %d", &port) == 1) {
             port_ = static_cast<std::uint16_t>(port);
           }
           return true;
         }) &&
         port_ != 0;
}

std::string MenderServer::url() const {
  return fmt::format("{}://127.0.0.1:{}", tls_ == Tls::no ? "http" : "https", port_);
}

std::filesystem::path MenderServer::certificate() const {
  return dir_ / "server.crt";
}

std::vector<MenderServer::Request> MenderServer::requests() const {
  std::vector<Request> requests;
  std::ifstream file(dir_ / "requests");
  std::string line;
  while (std::getline(file, line)) {
    const auto record = nlohmann::json::parse(line);
    requests.push_back(Request{.method = record.at("method"),
                               .path = record.at("path"),
                               .authorized = record.at("authorized"),
                               .body = record.at("body").dump(),
                               .client = record.at("client"),
                               .active = record.at("active"),
                               .at = record.at("at")});
  }
  return requests;
}

std::size_t MenderServer::count(std::string_view method) const {
  const auto all = requests();
  return static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [&](const Request& request) { return request.method == method; }));
}

std::string public_key_of(int number) {
  static std::map<int, std::string> keys;
  std::string& key = keys[number];
  if (key.empty()) {
    const std::string pem =
        openssl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"});
    key = openssl({"pkey", "-pubout"}, pem);
  }
  return key;
}

std::string body_line(const std::string& mac, int key) {
  const nlohmann::ordered_json body = {
      {"identity_data", {{"mac", mac}}}, {"pubkey", public_key_of(key)}, {"force", false}};
  return body.dump() + "\n";
}

}  // namespace imprint::test
