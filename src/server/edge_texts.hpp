#pragma once

#include <string>

namespace imprint::server {

/// What the texts of an edge's bundle depend on.
struct EdgeSettings {
  std::string backend;          ///< URL of the Mender server, without a slash at its end
  std::string listen;           ///< a port, or ADDRESS:PORT
  std::size_t authorities = 1;  ///< in ca.crt
  bool crl = false;             ///< nginx is to look at devices.crl.pem
};

// Files of settings for `docker run --env-file`: NAME=value to the end of the line, no quotes.
[[nodiscard]] std::string gateway_environment(const EdgeSettings& settings);
[[nodiscard]] std::string ambassador_environment(const EdgeSettings& settings);

[[nodiscard]] std::string nginx_configuration(const EdgeSettings& settings);

// POSIX shell; each works on the folder that it is in.
[[nodiscard]] std::string gateway_script(const EdgeSettings& settings);
[[nodiscard]] std::string ambassador_script(const EdgeSettings& settings);
[[nodiscard]] std::string nginx_script();

}  // namespace imprint::server
