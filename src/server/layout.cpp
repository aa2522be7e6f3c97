#include "imprint/server/layout.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::server {

namespace {

constexpr std::array<CertificatePlace, 2> kClassic = {{
    {"API gateway", "certs/api-gateway"},
    {"storage proxy", "certs/storage-proxy"},
}};

constexpr std::array<CertificatePlace, 1> kCurrent = {{
    {"API gateway and storage proxy", "cert"},
}};

}  // namespace

std::string_view word(Layout layout) noexcept {
  return layout == Layout::classic ? "classic" : "current";
}

Result<Layout> parse_layout(std::string_view text) {
  for (const Layout layout : {Layout::classic, Layout::current}) {
    if (text == word(layout)) return layout;
  }
  return fail(Code::invalid_input,
              fmt::format("{} is no layout; known are 'classic' (servers up to 3.0) and 'current' "
                          "(from 3.1 on)",
                          quoted(text)));
}

std::span<const CertificatePlace> certificate_places(Layout layout) noexcept {
  if (layout == Layout::classic) return kClassic;
  return kCurrent;
}

std::string_view certificates_folder(Layout layout) noexcept {
  return layout == Layout::classic ? "certs" : "cert";
}

fs::path trust_file(Layout layout) {
  return fs::path(certificates_folder(layout)) / "server.crt";
}

std::string_view word(Service service) noexcept {
  return service == Service::deviceauth ? "deviceauth" : "useradm";
}

Result<Service> parse_service(std::string_view text) {
  for (const Service service : kServices) {
    if (text == word(service)) return service;
  }
  return fail(Code::invalid_input,
              fmt::format("{} is no service that signs tokens; known are 'deviceauth', which signs "
                          "those of devices, and 'useradm', which signs those of users",
                          quoted(text)));
}

fs::path service_folder(Service service) {
  return fs::path("keys") / word(service);
}

std::string service_key_file(unsigned id) {
  return id == 0 ? std::string(kKeyFile) : fmt::format("private.id.{}.pem", id);
}

}  // namespace imprint::server
