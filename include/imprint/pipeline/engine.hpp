#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "imprint/base/result.hpp"
#include "imprint/guestfs/appliance.hpp"
#include "imprint/guestfs/engine.hpp"

namespace imprint::pipeline {

using guestfs::Engine;

struct EngineChoice {
  Engine engine = Engine::automatic;
  /// For the appliance's start, and for each step in it.
  std::chrono::seconds timeout = std::chrono::seconds(120);
  /// Of an encrypted data partition, as a source word ("env:NAME").
  std::optional<std::string> luks_passphrase = std::nullopt;
};

/// The choice as an appliance takes it: the passphrase is asked for when it is needed.
[[nodiscard]] guestfs::ApplianceOptions appliance_options(const EngineChoice& choice);

}  // namespace imprint::pipeline
