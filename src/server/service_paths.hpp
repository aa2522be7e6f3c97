#pragma once

#include <optional>
#include <string>

#include "imprint/server/deployment.hpp"

namespace imprint::server {

/// Where a service finds its keys inside its container, and the variables that say so. The names
/// are those of Mender's servers; useradm also looks for numbered keys beside the default one.
struct ServicePaths {
  std::string folder;  ///< `/etc/useradm/rsa`
  std::string key_variable;
  std::string fallback_variable;
};

[[nodiscard]] ServicePaths paths_of(Service service);

/// `private.pem` for 0, else `private.id.N.pem`.
[[nodiscard]] std::string container_file(unsigned id);

/// The variables and their values: the key that signs, and the one before it, whose tokens are
/// still accepted.
struct KeyEnvironment {
  std::pair<std::string, std::string> key;
  std::optional<std::pair<std::string, std::string>> fallback;
};

[[nodiscard]] KeyEnvironment environment_of(const ServiceKeys& keys);

}  // namespace imprint::server
