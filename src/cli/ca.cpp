#include "ca.hpp"

#include <memory>
#include <vector>

#include <CLI/CLI.hpp>

#include "help.hpp"

namespace imprint::cli {

Action add_ca(CLI::App& program) {
  CLI::App* command = program.add_subcommand("ca", "The certificate authority");
  command->footer(std::string(help::kCa));
  command->require_subcommand(1);
  auto entries = std::make_shared<std::vector<Entry>>();
  for (auto* add : {add_ca_init, add_ca_issue_device, add_ca_issue_server, add_ca_show,
                    add_ca_revoke, add_ca_crl}) {
    entries->push_back(add(*command));
  }
  return [entries](Console& console) {
    for (const Entry& entry : *entries) {
      if (entry.command->parsed()) return entry.action(console);
    }
    return Exit::failed;  // CLI11 wants one of them
  };
}

}  // namespace imprint::cli
