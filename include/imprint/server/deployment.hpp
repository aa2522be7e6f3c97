#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/server/layout.hpp"

/// Texts by which a deployment of the Mender server finds the keys and certificates.
namespace imprint::server {

/// Servers that are deployed alike with docker-compose: the first of them names it.
enum class ServerVersion {
  v1,    ///< up to 2.6: nginx as gateway, and a storage proxy
  v2_7,  ///< 2.7: traefik as gateway
  v3_0,
  v3_1,  ///< 3.1 to 3.8: the current layout
  v4,    ///< from 4.0 on: the repository mender-server
};

/// From a version like `3.7` or `4`. The error says what is known.
[[nodiscard]] Result<ServerVersion> parse_server_version(std::string_view text);
/// `3.1 to 3.8`.
[[nodiscard]] std::string_view word(ServerVersion version) noexcept;
/// What its servers read.
[[nodiscard]] Layout layout_of(ServerVersion version) noexcept;

/// Names of the files, beside the keys.
inline constexpr std::string_view kComposeFile = "docker-compose.override.yml";
inline constexpr std::string_view kHelmFile = "helm-values.yaml";
/// Only while a service has numbered keys, which the chart's values have no place for.
inline constexpr std::string_view kSecretsFile = "kubernetes-secrets.yaml";

/// The keys that a service has, by number: 0 is keygen's, the highest signs.
struct ServiceKeys {
  Service service{};
  std::vector<unsigned> ids;  ///< ascending, never empty
};

/// What the texts speak of: a folder of keys, and what is in it.
struct Deployment {
  fs::path directory;
  Layout layout = Layout::current;
  std::vector<ServiceKeys> services;
};

/// An override file for docker-compose: mounts and environment of each service that reads a key or
/// certificate. It names files by their absolute paths. Code::invalid_input for a path that is no
/// UTF-8, which YAML cannot hold, and for a layout that this version does not read.
[[nodiscard]] Result<std::string> compose_text(const Deployment& deployment, ServerVersion version);

/// The content of a file, by its path below the folder of keys.
using ReadFile = std::function<Result<crypto::SecretBytes>(const fs::path& file)>;

/// Values for Mender's Helm chart; they hold private keys. Of numbered keys they name the secrets
/// of kubernetes_secrets instead.
[[nodiscard]] Result<crypto::SecretBytes> helm_values(const Deployment& deployment,
                                                      const ReadFile& read);

/// Whether the values need secrets beside them.
[[nodiscard]] bool needs_secrets(const Deployment& deployment) noexcept;

/// Kubernetes Secret objects with all keys of the services that have numbered ones.
[[nodiscard]] Result<crypto::SecretBytes> kubernetes_secrets(const Deployment& deployment,
                                                             const ReadFile& read);

/// Whether a text is as one of these functions has made it, changed by nobody.
[[nodiscard]] bool is_unchanged(ByteView text);

}  // namespace imprint::server
