#include "accept/device_auth.hpp"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/command.hpp"

namespace imprint::accept {

using imprint::test::program_path;
using imprint::test::slurp;
using imprint::test::wait_until;

namespace {

constexpr std::string_view kAuthorization = "/api/devices/v1/authentication/auth_requests";

/// The port that it says on its first line; 0 as long as there is none.
std::uint16_t port_said(const std::filesystem::path& log) {
  int port = 0;
  std::ifstream file(log);
  std::string line;
  if (std::getline(file, line) && !file.eof()) std::sscanf(line.c_str(), "port %d", &port);
  return static_cast<std::uint16_t>(port);
}

}  // namespace

DeviceAuth::DeviceAuth(const std::filesystem::path& key,
                       const std::filesystem::path& preauthorized) {
  dir_.write("decisions", "");
  const std::vector<std::string> argv = {program_path("python3"),
                                         IMPRINT_ACCEPT "/device_auth.py",
                                         "--key",
                                         std::filesystem::absolute(key),
                                         "--preauthorized",
                                         std::filesystem::absolute(preauthorized),
                                         "--log",
                                         dir_ / "decisions"};
  process_ = std::make_unique<imprint::test::Process>(argv, dir_ / "log");
  wait_until([&] {
    port_ = port_said(dir_ / "log");
    return port_ != 0 || !process_->running();
  });
  EXPECT_NE(port_, 0) << log();
}

std::vector<DeviceAuth::Decision> DeviceAuth::decisions() const {
  std::vector<Decision> decisions;
  std::ifstream file(dir_ / "decisions");
  for (std::string line; std::getline(file, line) && !file.eof();) {
    const auto record = nlohmann::json::parse(line);
    const auto identity = record.value("identity", nlohmann::json::object());
    decisions.push_back({.path = record.at("path"),
                         .serial = record.at("serial"),
                         .identity = identity.value("id", ""),
                         .key = record.value("key", ""),
                         .device = record.value("device", ""),
                         .reason = record.at("reason"),
                         .status = record.at("status")});
  }
  return decisions;
}

std::vector<DeviceAuth::Decision> DeviceAuth::authorizations(std::string_view id,
                                                             int status) const {
  std::vector<Decision> found = decisions();
  std::erase_if(found, [&](const Decision& decision) {
    return decision.path != kAuthorization || decision.identity != id || decision.status != status;
  });
  return found;
}

bool DeviceAuth::works(std::string_view id) const {
  const auto accepted = authorizations(id, 200);
  if (accepted.empty()) return false;
  const auto all = decisions();
  const auto has_done = [&](std::string_view path, int status) {
    return std::ranges::any_of(all, [&](const Decision& decision) {
      return decision.device == accepted.front().device && decision.status == status &&
             decision.path.ends_with(path);
    });
  };
  return has_done("/inventory/device/attributes", 200) &&
         has_done("/deployments/device/deployments/next", 204);
}

std::string DeviceAuth::log() const {
  std::string text = slurp(dir_ / "log");
  return text.substr(std::min(text.size(), text.find('\n') + 1));
}

}  // namespace imprint::accept
