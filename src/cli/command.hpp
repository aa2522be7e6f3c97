#pragma once

#include <functional>
#include <string>

#include "console.hpp"

namespace CLI {
class App;
}

namespace imprint::cli {

/// Adds a command to the program and returns what runs it once the arguments are parsed. One file
/// per command.
using Action = std::function<Exit(Console&)>;

Action add_batch(CLI::App& program);
Action add_inject(CLI::App& program);
Action add_materialize(CLI::App& program);
Action add_verify(CLI::App& program);
Action add_ca(CLI::App& program);
Action add_keygen(CLI::App& program);
Action add_ledger(CLI::App& program);
Action add_doctor(CLI::App& program);
Action add_ls(CLI::App& program);
Action add_cat(CLI::App& program);
Action add_cp(CLI::App& program);
Action add_install(CLI::App& program);
Action add_rm(CLI::App& program);
Action add_mkdir(CLI::App& program);
Action add_stat(CLI::App& program);
Action add_show(CLI::App& program);
Action add_preauthorize(CLI::App& program);
Action add_artifact_key(CLI::App& program);
Action add_edge(CLI::App& program);
Action add_handshake(CLI::App& program);

}  // namespace imprint::cli
