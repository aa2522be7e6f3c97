// The override file for docker-compose. What each service reads, and under which name, is a table
// for each way in which Mender's servers are deployed (integration's production templates, and the
// compose file of mender-server); docs/server-keys.md shows it.

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/server/deployment.hpp"
#include "service_paths.hpp"
#include "yaml.hpp"

namespace imprint::server {

namespace {

struct Mount {
  std::string file;  ///< below the folder of keys
  std::string target;
};

struct ComposeService {
  std::string name;
  std::vector<Mount> mounts;
  std::vector<std::pair<std::string, std::string>> environment;
};

/// What differs between servers.
struct VersionRow {
  ServerVersion version;
  std::string_view word;
  Layout layout;
  std::string_view compose_version;  ///< of the files that are overridden; empty: they have none
  std::string_view deviceauth;       ///< names of services
  std::string_view useradm;
  std::string_view deployments;
  std::string_view storage_certificate;  ///< where deployments finds it
};

constexpr std::array<VersionRow, 5> kVersions = {{
    {ServerVersion::v1, "up to 2.6", Layout::classic, "2.1", "mender-device-auth", "mender-useradm",
     "mender-deployments", "/etc/ssl/certs/storage-proxy.crt"},
    {ServerVersion::v2_7, "2.7", Layout::classic, "2.1", "mender-device-auth", "mender-useradm",
     "mender-deployments", "/etc/ssl/certs/s3.docker.mender.io.crt"},
    {ServerVersion::v3_0, "3.0", Layout::classic, "2.1", "mender-device-auth", "mender-useradm",
     "mender-deployments", "/etc/ssl/certs/s3.docker.mender.io.crt"},
    {ServerVersion::v3_1, "3.1 to 3.8", Layout::current, "2.3", "mender-device-auth",
     "mender-useradm", "mender-deployments", "/etc/ssl/certs/docker.mender.io.crt"},
    {ServerVersion::v4, "4.0 and later", Layout::current, "", "deviceauth", "useradm",
     "deployments", "/etc/ssl/certs/docker.mender.io.crt"},
}};

const VersionRow& row_of(ServerVersion version) noexcept {
  return kVersions.at(static_cast<std::size_t>(version));
}

/// A certificate and its key, under these names in a container.
void mount_pair(ComposeService& service, std::string_view folder, std::string_view certificate,
                std::string_view key) {
  service.mounts.push_back(
      {fmt::format("{}/{}", folder, kCertificateFile), std::string(certificate)});
  service.mounts.push_back({fmt::format("{}/{}", folder, kKeyFile), std::string(key)});
}

std::vector<ComposeService> gateways(ServerVersion version) {
  ComposeService gateway{"mender-api-gateway", {}, {}};
  switch (version) {
    case ServerVersion::v1: {
      ComposeService storage{"storage-proxy", {}, {}};
      mount_pair(gateway, "certs/api-gateway", "/var/www/mendersoftware/cert/cert.crt",
                 "/var/www/mendersoftware/cert/private.key");
      mount_pair(storage, "certs/storage-proxy", "/var/www/storage-proxy/cert/cert.crt",
                 "/var/www/storage-proxy/cert/private.key");
      return {gateway, storage};
    }
    case ServerVersion::v2_7:
    case ServerVersion::v3_0: {
      const std::string certs = version == ServerVersion::v2_7 ? "/certs" : "/etc/traefik/certs";
      mount_pair(gateway, "certs/api-gateway", certs + "/cert.crt", certs + "/private.key");
      mount_pair(gateway, "certs/storage-proxy", certs + "/s3.docker.mender.io.crt",
                 certs + "/s3.docker.mender.io.key");
      return {gateway};
    }
    case ServerVersion::v3_1:
      mount_pair(gateway, "cert", "/etc/traefik/certs/cert.crt", "/etc/traefik/certs/private.key");
      return {gateway};
    case ServerVersion::v4:
      gateway.name = "traefik";
      mount_pair(gateway, "cert", "/etc/traefik/certs/mender.crt", "/etc/traefik/certs/mender.key");
      return {gateway};
  }
  return {};
}

ComposeService token_service(const ServiceKeys& keys, std::string_view name) {
  ComposeService service{std::string(name), {}, {}};
  const ServicePaths paths = paths_of(keys.service);
  for (const unsigned id : keys.ids) {
    service.mounts.push_back({(service_folder(keys.service) / service_key_file(id)).string(),
                              fmt::format("{}/{}", paths.folder, container_file(id))});
  }
  KeyEnvironment environment = environment_of(keys);
  service.environment.push_back(std::move(environment.key));
  if (environment.fallback) service.environment.push_back(std::move(*environment.fallback));
  return service;
}

std::vector<ComposeService> services_of(const Deployment& deployment, const VersionRow& row) {
  std::vector<ComposeService> services = gateways(row.version);
  const std::string storage(row.storage_certificate);
  services.push_back({std::string(row.deployments),
                      {{trust_file(deployment.layout).string(), storage}},
                      {{"STORAGE_BACKEND_CERT", storage}}});
  for (const ServiceKeys& keys : deployment.services) {
    services.push_back(
        token_service(keys, keys.service == Service::deviceauth ? row.deviceauth : row.useradm));
  }
  return services;
}

/// docker-compose replaces `$NAME`; `$$` is a dollar sign.
std::string without_variables(std::string_view path) {
  std::string escaped;
  for (const char c : path)
    escaped += c == '$' ? std::string("$$") : std::string(1, c);
  return escaped;
}

/// The short form, as Mender's own files have it, unless the path holds its separator.
Result<std::string> mount_text(const Mount& mount, const fs::path& directory) {
  const std::string source = without_variables((directory / mount.file).string());
  if (source.find(':') == std::string::npos) {
    const std::string item = IMPRINT_TRY(yaml::text(fmt::format("{}:{}:ro", source, mount.target)));
    return fmt::format("      - {}\n", item);
  }
  const std::string from = IMPRINT_TRY(yaml::text(source));
  return fmt::format(
      "      - type: bind\n        source: {}\n        target: {}\n        read_only: true\n", from,
      mount.target);
}

}  // namespace

std::string_view word(ServerVersion version) noexcept {
  return row_of(version).word;
}

Layout layout_of(ServerVersion version) noexcept {
  return row_of(version).layout;
}

Result<std::string> compose_text(const Deployment& deployment, ServerVersion version) {
  const VersionRow& row = row_of(version);
  if (row.layout != deployment.layout) {
    return fail(Code::invalid_input, fmt::format("Mender servers {} do not read the layout '{}'",
                                                 row.word, word(deployment.layout)));
  }
  const fs::path directory = fs::absolute(deployment.directory).lexically_normal();
  std::string body = fmt::format("# For Mender servers {}.\n", row.word);
  if (version == ServerVersion::v4) {
    body += "# Its containers run as user 65534, which has to be able to read the keys.\n";
  }
  if (!row.compose_version.empty()) body += fmt::format("version: \"{}\"\n", row.compose_version);
  body += "services:\n";
  for (const ComposeService& service : services_of(deployment, row)) {
    body += fmt::format("  {}:\n    volumes:\n", service.name);
    for (const Mount& mount : service.mounts)
      body += IMPRINT_TRY(mount_text(mount, directory));
    if (service.environment.empty()) continue;
    body += "    environment:\n";
    for (const auto& [name, value] : service.environment)
      body += fmt::format("      {}: {}\n", name, value);
  }
  return std::string(text_of(yaml::sealed(crypto::SecretBytes(bytes_of(body))).view()));
}

bool is_unchanged(ByteView text) {
  return yaml::is_sealed(text);
}

}  // namespace imprint::server
