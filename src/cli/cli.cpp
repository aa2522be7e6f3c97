#include "imprint/cli/cli.hpp"

#include <exception>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "command.hpp"
#include "console.hpp"
#include "help.hpp"
#include "imprint/base/version.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/pipeline/protect.hpp"

namespace imprint::cli {

namespace {

/// CLI11 ends parsing by an exception, for --help as for a mistake; both become text and an exit
/// status here.
int report_parse_end(const CLI::App& program, const CLI::ParseError& end, Console& console) {
  if (end.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    program.exit(end, console.out(), console.err());
    return static_cast<int>(Exit::done);
  }
  const CLI::App* command = &program;
  std::string words;  // `ca init `
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    words += command->get_name() + " ";
  }
  // A command that does not exist is left over, and CLI11 would only say that there is none.
  const std::vector<std::string> unknown = program.remaining(true);
  const bool wants_command =
      !command->get_subcommands([](const CLI::App*) { return true; }).empty();
  const std::string what = wants_command && !unknown.empty()
                               ? fmt::format("there is no command '{}{}'", words, unknown.front())
                               : std::string(end.what());
  console.err() << fmt::format("imprint: error: {} (see 'imprint {}--help')\n", what, words);
  return static_cast<int>(Exit::bad_input);
}

/// A script's variable that is not set gives an empty value, which the commands would take for an
/// option that was not given: a key without a passphrase, a CA in the working directory.
std::string refuse_empty(const std::string& value) {
  return value.empty() ? "the value is empty; give one, or leave the option out" : "";
}

/// What holds for every option of every command.
void set_rules(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_items_expected_max() > 0) option->check(refuse_empty);
    // An option that may be repeated takes one value each time: what follows is an argument.
    if (!option->get_positional()) option->allow_extra_args(false);
  }
  for (CLI::App* below : command.get_subcommands([](CLI::App*) { return true; }))
    set_rules(*below);
}

/// What a full disk or a closed pipe has swallowed of standard output is a failure, also where the
/// command itself went well.
Exit finish(Exit status, Console& console) {
  if (console.out().flush() || status != Exit::done) return status;
  return console.fail(Error(Code::io, "writing standard output failed"));
}

}  // namespace

int run(std::span<const std::string> args, std::ostream& out, std::ostream& err) {
  Console console(out, err);
  if (pipeline::protect_process() != crypto::Hardening::full) {
    console.warn("no locked memory for private keys: they could reach swap (see ulimit -l)");
  }

  CLI::App program("Gives every device of a Mender fleet its own identity before its first boot.",
                   "imprint");
  program.set_version_flag("--version", fmt::format("imprint {} ({})", kVersion, kRevision));
  program.footer(std::string(help::kImprint));
  program.require_subcommand(1);
  program.get_formatter()->column_width(30);

  struct Entry {
    CLI::App* command;
    Action action;
  };

  std::vector<Entry> entries;
  for (auto* add : {add_batch,     add_inject,  add_materialize,  add_verify, add_ca,
                    add_keygen,    add_edge,    add_artifact_key, add_ledger, add_preauthorize,
                    add_handshake, add_show,    add_doctor,       add_ls,     add_cat,
                    add_cp,        add_install, add_rm,           add_mkdir,  add_stat}) {
    Action action = add(program);
    entries.push_back(
        {program.get_subcommands([](const CLI::App*) { return true; }).back(), std::move(action)});
  }
  set_rules(program);

  std::vector<std::string> reversed(args.rbegin(), args.rend());  // as CLI11 wants a vector
  try {
    program.parse(reversed);
    for (const Entry& entry : entries) {
      if (entry.command->parsed()) return static_cast<int>(finish(entry.action(console), console));
    }
  } catch (const CLI::ParseError& end) {
    return report_parse_end(program, end, console);
  } catch (const std::exception& error) {
    return static_cast<int>(console.fail(Error(Code::internal, error.what())));
  }
  return static_cast<int>(Exit::failed);
}

}  // namespace imprint::cli
