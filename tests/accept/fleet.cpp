#include "accept/fleet.hpp"

#include <algorithm>
#include <cctype>
#include <ostream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/image_oracle.hpp"

namespace imprint::accept {

namespace fs = std::filesystem;

using imprint::cli::test::imprint;
using imprint::cli::test::kData;
using imprint::cli::test::kRootfsA;
using imprint::test::CommandResult;
using imprint::test::ImageOracle;
using imprint::test::TempDir;
using Json = nlohmann::ordered_json;

std::string name_of(Issuer issuer) {
  return issuer == Issuer::root ? "root" : "intermediate";
}

void PrintTo(Issuer issuer, std::ostream* out) {
  *out << name_of(issuer);
}

void imprint_does(const std::vector<std::string>& arguments) {
  const CommandResult result = imprint(arguments);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
}

Fleet::Fleet(const Wish& wish) : before_(fs::current_path()), edge_address_(wish.edge_address) {
  fs::current_path(dir_.path());
  fs::create_symlink(wish.base_image, "base.sdimg");
  make_authorities(wish.issuer);
  start_server(wish);
}

Fleet::~Fleet() {
  edge_.reset();
  server_.reset();
  std::error_code ignored;
  fs::current_path(before_, ignored);
}

void Fleet::make_authorities(Issuer issuer) {
  imprint_does({"ca", "init", "root", "--cn", "Root"});
  authority_ = "root";
  if (issuer == Issuer::root) return;
  imprint_does({"ca", "init", "line", "--cn", "Line 1", "--parent", "root"});
  authority_ = "line";
}

void Fleet::start_server(const Wish& wish) {
  imprint_does({"keygen", "--cn", "mender.example.com", "--out", "keys", "--service-key",
                wish.service_key, "--server-version", "4.0"});
  dir_.write("preauthorized", "");
  server_.emplace("keys/keys/deviceauth/private.key", "preauthorized");
  edge_.emplace(Edge::Wish{
      .authority = authority_, .backend_port = server_->port(), .address = wish.edge_address});
}

/// The base image. Its main configuration names a server, and stands above the one on the data
/// partition: with that as the target, only an image without those settings will do.
std::string Fleet::image_for(const std::string& target) const {
  if (target != "data") return "base.sdimg";
  const std::string own = "unconfigured.sdimg";
  if (fs::exists(own)) return own;
  const CommandResult copied =
      imprint::test::run_command({"cp", "--sparse=always", "--dereference", "base.sdimg", own});
  EXPECT_EQ(copied.status, 0) << copied.err;
  replace_file(own, "/etc/mender/mender.conf", "{}\n");
  return own;
}

Json Fleet::manifest(const DeviceWish& wish) const {
  const std::string host = edge_->url().substr(std::string_view("https://").size());
  const auto script = [](std::string text, const char* to) {
    return Json{{"text", "#!/bin/sh\n" + std::move(text)}, {"to", to}, {"mode", "0755"}};
  };
  return {
      {"version", 1},
      {"image", image_for(wish.target)},
      {"authority", wish.authority.empty() ? authority_ : wish.authority},
      {"identity", {{"key", wish.key}, {"subject", {{"CN", "{id}.devices.example.com"}}}}},
      {"identity_data", {{"id", "{id}"}}},
      {"mender_conf",
       {{"target", wish.target},
        {"server_url", edge_->url()},
        {"server_certificate", "root/ca-cert.pem"},
        // All is asked for once at the start. More often would only run its inventory scripts.
        {"merge",
         {{"UpdatePollIntervalSeconds", 60},
          {"InventoryPollIntervalSeconds", 60},
          {"RetryPollIntervalSeconds", 5},
          {"TenantToken", nullptr}}}}},
      {"files",
       {{{"text", fmt::format("{} {}\n", edge_address_, host.substr(0, host.find(':')))},
         {"to", "/etc/hosts"}},
        script("echo id=" + wish.reports + "\n",
               "/usr/share/mender/identity/mender-device-identity"),
        // The example asks the Internet where it is.
        script("", "/usr/share/mender/inventory/mender-inventory-geo")}},
      {"output", {{"directory", wish.authority.empty() ? "out" : "out-" + wish.authority}}},
      {"devices", {{{"id", wish.id}}}},
  };
}

fs::path Fleet::provision(const DeviceWish& wish) {
  const Json document = manifest(wish);
  dir_.write(wish.id + ".json", document.dump(2));
  imprint_does({"batch", wish.id + ".json", "--quiet"});
  const std::string directory = document.at("output").at("directory");
  return fs::current_path() / directory / (wish.id + ".sdimg");
}

void Fleet::preauthorize() const {
  // Read by the server at any time: the file changes as a whole.
  imprint_does({"ledger", "export", ledger(), "--format", "preauthorize", "--output", "next"});
  fs::rename("next", "preauthorized");
}

void Fleet::revoke(const std::string& id) const {
  imprint_does({"ca", "revoke", authority_, "--ledger", ledger(), "--id", id});
}

std::string serial_on(const fs::path& image) {
  const std::string pem = ImageOracle(image).cat(kData, "/mender/mender-cert.pem");
  std::string text = imprint::test::openssl({"x509", "-noout", "-serial"}, pem);
  text = text.substr(text.find('=') + 1);
  std::erase(text, '\n');
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

void replace_file(const fs::path& image, const std::string& path, std::string_view text,
                  const std::string& mode) {
  const TempDir dir;
  const fs::path file = dir.write("file", text);
  imprint_does({"install", "-m", mode, file, image.string() + ":" + path});
}

void drop_setting(const fs::path& image, const std::string& name) {
  Json conf = Json::parse(ImageOracle(image).cat(kRootfsA, "/etc/mender/mender.conf"));
  EXPECT_EQ(conf.erase(name), 1U) << name << " is not in " << conf;
  replace_file(image, "/etc/mender/mender.conf", conf.dump(2));
}

}  // namespace imprint::accept
