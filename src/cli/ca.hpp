#pragma once

#include "command.hpp"

namespace imprint::cli {

/// A subcommand and what runs it.
struct Entry {
  CLI::App* command;
  Action action;
};

/// The subcommands of `imprint ca`, one file each.
Entry add_ca_crl(CLI::App& ca);
Entry add_ca_init(CLI::App& ca);
Entry add_ca_issue_device(CLI::App& ca);
Entry add_ca_issue_server(CLI::App& ca);
Entry add_ca_revoke(CLI::App& ca);
Entry add_ca_show(CLI::App& ca);

}  // namespace imprint::cli
