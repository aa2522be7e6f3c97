#pragma once

#include <string>

#include "imprint/pipeline/engine.hpp"

namespace CLI {
class App;
}

namespace imprint::cli {

/// --engine, --engine-timeout and --luks-passphrase as they were given.
struct EngineOptions {
  std::string engine = "auto";
  unsigned timeout_s = 120;
  std::string luks_passphrase;

  [[nodiscard]] Result<pipeline::EngineChoice> choice() const;
};

/// `options` outlives the parsing.
void add_engine_options(CLI::App& command, EngineOptions& options);

}  // namespace imprint::cli
