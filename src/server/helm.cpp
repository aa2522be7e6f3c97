// Values for Mender's Helm chart. The chart has room for one key of each service, which it mounts
// as private.pem. Numbered keys need a secret of their own, that the chart mounts as it is, and the
// service's variables; those come after the chart's own in the pod, and Kubernetes takes the last.

#include <algorithm>

#include <fmt/format.h>

#include "imprint/server/deployment.hpp"
#include "service_paths.hpp"
#include "yaml.hpp"

namespace imprint::server {

namespace {

std::string_view chart_name(Service service) noexcept {
  return service == Service::deviceauth ? "device_auth" : "useradm";
}

std::string secret_name(Service service) {
  return service == Service::deviceauth ? "imprint-device-auth-keys" : "imprint-useradm-keys";
}

bool is_numbered(const ServiceKeys& keys) noexcept {
  return keys.ids.size() != 1 || keys.ids.front() != 0;
}

fs::path key_path(Service service, unsigned id) {
  return service_folder(service) / service_key_file(id);
}

void append_environment(crypto::SecretBytes& into, const ServiceKeys& keys) {
  const KeyEnvironment environment = environment_of(keys);
  const auto add = [&into](const std::pair<std::string, std::string>& variable) {
    yaml::append(into,
                 fmt::format("    - name: {}\n      value: {}\n", variable.first, variable.second));
  };
  yaml::append(into, "  customEnvs:\n");
  add(environment.key);
  if (environment.fallback) add(*environment.fallback);
}

Result<> append_service(crypto::SecretBytes& into, const ServiceKeys& keys, const ReadFile& read) {
  yaml::append(into, fmt::format("{}:\n  certs:\n", chart_name(keys.service)));
  if (is_numbered(keys)) {
    yaml::append(into, fmt::format("    existingSecret: {}\n", secret_name(keys.service)));
    append_environment(into, keys);
    return {};
  }
  const crypto::SecretBytes key = IMPRINT_TRY(read(key_path(keys.service, 0)));
  yaml::append_block(into, 4, "key", key.view());
  return {};
}

}  // namespace

bool needs_secrets(const Deployment& deployment) noexcept {
  return std::ranges::any_of(deployment.services, is_numbered);
}

Result<crypto::SecretBytes> helm_values(const Deployment& deployment, const ReadFile& read) {
  const fs::path gateway(certificate_places(deployment.layout).front().folder);
  const crypto::SecretBytes certificate = IMPRINT_TRY(read(gateway / kCertificateFile));
  const crypto::SecretBytes key = IMPRINT_TRY(read(gateway / kKeyFile));
  crypto::SecretBytes body(bytes_of("# For Mender's Helm chart. HOLDS PRIVATE KEYS.\n"));
  if (needs_secrets(deployment)) {
    yaml::append(body, fmt::format("# First: kubectl apply -f {}\n", kSecretsFile));
  }
  yaml::append(body, "api_gateway:\n  env:\n    SSL: true\n  certs:\n");
  yaml::append_block(body, 4, "cert", certificate.view());
  yaml::append_block(body, 4, "key", key.view());
  for (const ServiceKeys& keys : deployment.services)
    IMPRINT_TRY(append_service(body, keys, read));
  return yaml::sealed(body);
}

Result<crypto::SecretBytes> kubernetes_secrets(const Deployment& deployment, const ReadFile& read) {
  crypto::SecretBytes body(
      bytes_of("# For kubectl apply -f, into the namespace of the chart. HOLDS PRIVATE KEYS.\n"));
  for (const ServiceKeys& keys : deployment.services) {
    if (!is_numbered(keys)) continue;
    yaml::append(body, fmt::format("---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {}\n"
                                   "type: Opaque\nstringData:\n",
                                   secret_name(keys.service)));
    for (const unsigned id : keys.ids) {
      const crypto::SecretBytes key = IMPRINT_TRY(read(key_path(keys.service, id)));
      yaml::append_block(body, 2, container_file(id), key.view());
    }
  }
  return yaml::sealed(body);
}

}  // namespace imprint::server
