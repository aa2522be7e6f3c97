#include "ledger.hpp"

#include <array>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "help.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"
#include "ledger_listing.hpp"

namespace imprint::cli {

namespace {

using ledger::DeviceRow;
using ledger::State;

constexpr std::array kStates = {State::issued, State::placed, State::failed, State::superseded,
                                State::lost};

struct ListOptions {
  fs::path file = "ledger.db";
  std::string state;
  bool revoked = false;
  std::string id;
  std::string format = "table";
};

Result<> list(const ListOptions& options, std::ostream& out) {
  const auto state = IMPRINT_TRY(parse_state(options.state));
  const auto listing = IMPRINT_TRY(make_listing(options.format, out));
  const auto ledger = IMPRINT_TRY(ledger::Ledger::open_read_only(options.file));
  listing->begin();
  const auto visit = [&](const DeviceRow& row) {
    if (state && row.state != *state) return;
    if (options.revoked && !row.revoked) return;
    listing->row(row);
  };
  IMPRINT_TRY(options.id.empty() ? ledger.for_each(visit) : ledger.for_each_of(options.id, visit));
  listing->end();
  out.flush();
  if (!out) return fail(Code::io, "writing to standard output");
  return {};
}

Exit run_list(const ListOptions& options, Console& console) {
  const auto listed = list(options, console.out());
  return listed ? Exit::done : console.fail(listed.error());
}

Action add_list(CLI::App& ledger) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command = ledger.add_subcommand(
      "list", "List certificates; safe at any time, also while a batch writes");
  command->footer(std::string(help::kLedger));
  command->add_option("FILE", options->file, "The ledger")->capture_default_str();
  command->add_option("--state", options->state,
                      "Only those that are issued, placed, failed, superseded or lost");
  command->add_flag("--revoked", options->revoked, "Only those that are revoked");
  command->add_option("--id", options->id, "Only those of this device");
  command->add_option("--format", options->format, "table, csv or json")->capture_default_str();
  return [options](Console& console) { return run_list(*options, console); };
}

}  // namespace

Result<std::optional<State>> parse_state(const std::string& text) {
  if (text.empty()) return std::optional<State>();
  std::array<std::string_view, kStates.size()> known;
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    known[i] = ledger::name(kStates[i]);
    if (equal_ignoring_ascii_case(known[i], text)) return std::optional<State>(kStates[i]);
  }
  const auto meant = nearest(text, known);
  return fail(Code::invalid_input,
              fmt::format("--state {} is no state; {}", quoted(text),
                          meant ? "did you mean " + quoted(*meant) + "?"
                                : fmt::format("known are {}", fmt::join(known, ", "))));
}

Action add_ledger(CLI::App& program) {
  CLI::App* command = program.add_subcommand("ledger", "What was issued, and what became of it");
  command->footer(std::string(help::kLedger));
  command->require_subcommand(1);
  const Action listing = add_list(*command);
  const Action exporting = add_ledger_export(*command);
  return [command, listing, exporting](Console& console) {
    return command->got_subcommand("export") ? exporting(console) : listing(console);
  };
}

}  // namespace imprint::cli
