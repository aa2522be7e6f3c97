#pragma once

#include <chrono>
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
  /// Of an encrypted data partition; empty: such a partition is an error that says what to do.
  guestfs::PassphraseQuestion luks_passphrase = {};
};

/// Reads the passphrase from a source ("env:NAME") when it is first asked for, and knows it from
/// then on: a source can be read once, and a command may start several appliances. Copies share
/// what is known. One thread at a time.
[[nodiscard]] guestfs::PassphraseQuestion luks_passphrase_from(std::string source);

/// The choice as an appliance takes it: the passphrase is asked for when it is needed.
[[nodiscard]] guestfs::ApplianceOptions appliance_options(const EngineChoice& choice);

}  // namespace imprint::pipeline
