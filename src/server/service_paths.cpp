#include "service_paths.hpp"

#include <fmt/format.h>

namespace imprint::server {

ServicePaths paths_of(Service service) {
  if (service == Service::deviceauth) {
    return {"/etc/deviceauth/rsa", "DEVICEAUTH_SERVER_PRIV_KEY_PATH",
            "DEVICEAUTH_SERVER_FALLBACK_PRIV_KEY_PATH"};
  }
  return {"/etc/useradm/rsa", "USERADM_SERVER_PRIV_KEY_PATH",
          "USERADM_SERVER_FALLBACK_PRIV_KEY_PATH"};
}

std::string container_file(unsigned id) {
  return id == 0 ? "private.pem" : service_key_file(id);
}

KeyEnvironment environment_of(const ServiceKeys& keys) {
  const ServicePaths paths = paths_of(keys.service);
  const auto path_of = [&](unsigned id) {
    return fmt::format("{}/{}", paths.folder, container_file(id));
  };
  KeyEnvironment environment{{paths.key_variable, path_of(keys.ids.back())}, std::nullopt};
  if (keys.ids.size() > 1) {
    environment.fallback = {paths.fallback_variable, path_of(keys.ids.at(keys.ids.size() - 2))};
  }
  return environment;
}

}  // namespace imprint::server
