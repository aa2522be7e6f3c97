#include "imprint/devauth/preauthorize.hpp"

#include <chrono>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "help.hpp"
#include "imprint/base/text.hpp"
#include "interrupt.hpp"
#include "preauthorize_input.hpp"
#include "preauthorize_narrator.hpp"
#include "progress.hpp"

namespace imprint::cli {

namespace {

void print_json(const Prepared& prepared, const devauth::Summary& summary,
                PreauthorizeNarrator& narrator, Console& console) {
  const nlohmann::ordered_json record = {
      {"version", 1},
      {"server", prepared.server.text()},
      {"accepted", summary.accepted},
      {"known", summary.known},
      {"conflicts", summary.conflicts},
      {"failed", summary.failed},
      {"not_sent", summary.not_sent},
      {"interrupted", summary.interrupted},
      {"stopped", summary.stopped ? nlohmann::ordered_json(summary.stopped->message()) : nullptr},
      {"devices", narrator.take_devices()},
  };
  console.out() << record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                << '\n';
}

std::string words_of(const devauth::Summary& summary) {
  std::string words = fmt::format("{} accepted, {} known", summary.accepted, summary.known);
  if (summary.conflicts > 0) words += fmt::format(", {} in conflict", summary.conflicts);
  if (summary.failed > 0) words += fmt::format(", {} failed", summary.failed);
  if (summary.not_sent > 0) words += fmt::format(", {} not sent", summary.not_sent);
  return words;
}

std::string why_nothing(const PreauthorizeOptions& options, const Prepared& prepared) {
  if (!options.bodies.empty())
    return fmt::format("there is no body in --bodies {}", quoted(options.bodies));
  return fmt::format("{} has no more devices for {}", quoted(options.ledger.string()),
                     prepared.server.text());
}

Exit status_of(const devauth::Summary& summary, Console& console) {
  if (summary.stopped) return console.fail(*summary.stopped);
  if (summary.interrupted) {
    console.note("interrupted: run the same command again to go on");
    return Exit::interrupted;
  }
  return summary.conflicts + summary.failed > 0 ? Exit::some_failed : Exit::done;
}

Exit send(const PreauthorizeOptions& options, Prepared& prepared, Console& console) {
  const InterruptGuard interrupt;
  std::optional<devauth::LedgerRecorder> recorder;
  if (prepared.ledger) {
    recorder.emplace(*prepared.ledger, prepared.server.text(), system_clock());
  }
  PreauthorizeNarrator narrator(console, prepared.devices.size(), recorder ? &*recorder : nullptr,
                                options.json);
  const devauth::Options run{.server = prepared.server,
                             .token = prepared.token.text,
                             .ca_pem = prepared.ca_pem,
                             .jobs = options.jobs,
                             .retries = options.retries,
                             .timeout = std::chrono::seconds(options.timeout_seconds),
                             .force = options.force};
  const auto summary =
      devauth::preauthorize(prepared.devices, run, narrator, interrupt.requested());
  narrator.clear_line();
  const auto recorded = recorder ? recorder->flush() : Result<>();
  if (!summary) return console.fail(summary.error());
  if (!recorded) return console.fail(recorded.error());
  if (options.json) print_json(prepared, *summary, narrator, console);
  if (prepared.devices.empty()) {
    console.note("nothing to send: " + why_nothing(options, prepared));
    return Exit::done;
  }
  console.note(fmt::format("{} devices: {} in {}", prepared.devices.size(), words_of(*summary),
                           duration_text(narrator.seconds())));
  return status_of(*summary, console);
}

Exit run_preauthorize(const PreauthorizeOptions& options, Console& console) {
  auto prepared = prepare(options);
  if (!prepared) return console.fail(prepared.error());
  if (prepared->token.readable_by_others) {
    console.warn(
        fmt::format("others can read {}; chmod 600 it", quoted(options.token_file.string())));
  }
  if (prepared->incomplete > 0) {
    console.warn(fmt::format("{} devices are left out: the ledger knows too little of them",
                             prepared->incomplete));
  }
  if (options.dry_run) {
    const std::size_t count = prepared->devices.size();
    if (options.json) {
      const nlohmann::ordered_json plan = {
          {"version", 1}, {"server", prepared->server.text()}, {"to_send", count}};
      console.out() << plan.dump(2) << '\n';
    } else {
      console.out() << fmt::format("{} devices would be sent to {}\n", count,
                                   prepared->server.text());
    }
    return Exit::done;
  }
  return send(options, *prepared, console);
}

}  // namespace

Action add_preauthorize(CLI::App& program) {
  auto options = std::make_shared<PreauthorizeOptions>();
  CLI::App* command =
      program.add_subcommand("preauthorize", "Tell a Mender server of devices before they connect");
  command->footer(std::string(help::kPreauthorize));
  CLI::Option* ledger = command->add_option("LEDGER", options->ledger, "Whose devices to send")
                            ->capture_default_str();
  command
      ->add_option("--bodies", options->bodies,
                   "Send the bodies in this file, one JSON object a line ('-': standard input)")
      ->excludes(ledger);
  command->add_option("--server", options->server, "The Mender server: https://HOST")->required();
  command
      ->add_option("--token-file", options->token_file,
                   "File with a token of the management API, and nothing else")
      ->required();
  command->add_option("--ca-file", options->ca_file,
                      "Trust these certificates too, besides the system's (server.crt)");
  command->add_option("--jobs", options->jobs, "Requests at a time")
      ->check(CLI::Range(1U, 256U))
      ->capture_default_str();
  command->add_option("--retries", options->retries, "Tries after one that may pass has failed")
      ->check(CLI::Range(0U, 100U))
      ->capture_default_str();
  command->add_option("--timeout", options->timeout_seconds, "Seconds for one request")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
  command->add_flag("--force", options->force,
                    "Give devices that are known by another key this one too");
  command->add_option("--identity-data", options->identity_data,
                      "What devices report of which the ledger does not know it: NAME=TEMPLATE "
                      "with {id} or {serial_hex} (repeat as needed)");
  command->add_flag("--skip-incomplete", options->skip_incomplete,
                    "Leave out devices of which the ledger knows no identity or key");
  command->add_flag("--dry-run", options->dry_run, "Check everything and say how many; send none");
  command->add_flag("--json", options->json, "Print what became of each device as JSON");
  return [options](Console& console) { return run_preauthorize(*options, console); };
}

}  // namespace imprint::cli
