#include "engine_options.hpp"

#include <CLI/CLI.hpp>

namespace imprint::cli {

Result<pipeline::EngineChoice> EngineOptions::choice() const {
  pipeline::EngineChoice choice;
  choice.engine = IMPRINT_TRY(guestfs::parse_engine(engine));
  choice.timeout = std::chrono::seconds(timeout_s);
  if (!luks_passphrase.empty())
    choice.luks_passphrase = pipeline::luks_passphrase_from(luks_passphrase);
  return choice;
}

void add_engine_options(CLI::App& command, EngineOptions& options) {
  command
      .add_option("--engine", options.engine,
                  "Who edits file systems: native, guestfs (btrfs, xfs, f2fs, LVM, LUKS), or auto "
                  "by the data partition")
      ->capture_default_str();
  command
      .add_option("--engine-timeout", options.timeout_s,
                  "Seconds that the guestfs engine has to start, and for each step")
      ->capture_default_str()
      ->check(CLI::Range(1U, 86400U));
  command.add_option("--luks-passphrase", options.luks_passphrase,
                     "Where the passphrase of an encrypted data partition is: env:NAME, file:PATH, "
                     "fd:N, credential:NAME, prompt");
}

}  // namespace imprint::cli
