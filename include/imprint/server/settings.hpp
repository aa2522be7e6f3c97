#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/crypto/key.hpp"
#include "imprint/server/deployment.hpp"
#include "imprint/server/names.hpp"

namespace imprint::server {

/// What somebody asks of keys and certificates, as far as he says anything.
struct Settings {
  /// For each of certificate_places, or empty; without a common name, or without alternative names,
  /// any will do.
  std::vector<ServerNames> servers = {};
  std::optional<std::uint32_t> days = std::nullopt;
  std::optional<authority::AuthoritySource> ca = std::nullopt;
  std::optional<crypto::KeyKind> service_key = std::nullopt;
};

/// For who asks for something while a tree is there already, which is used as it is:
/// Code::invalid_input when the two contradict each other. Certificates and keys have to be such.
[[nodiscard]] Result<> refuse_contradiction(const Deployment& tree, const Settings& settings);

}  // namespace imprint::server
