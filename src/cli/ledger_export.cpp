#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "help.hpp"
#include "imprint/pipeline/export.hpp"
#include "ledger.hpp"

namespace imprint::cli {

namespace {

struct ExportOptions {
  fs::path file = "ledger.db";
  std::string format;
  std::vector<std::string> ids;
  std::string state = "placed";
  std::vector<std::string> identity_data;
  bool skip_incomplete = false;
  std::string output = "-";
};

Result<pipeline::ExportReport> export_devices(const ExportOptions& options, std::ostream& out) {
  pipeline::ExportRequest request;
  request.ledger = options.file;
  request.format = IMPRINT_TRY(pipeline::parse_export_format(options.format).context("--format"));
  request.ids = options.ids;
  const auto state = IMPRINT_TRY(parse_state(options.state));
  request.state = state.value_or(request.state);
  request.identity_data = IMPRINT_TRY(pipeline::parse_identity_data(options.identity_data));
  request.skip_incomplete = options.skip_incomplete;
  if (options.output != "-")
    return pipeline::export_devices(request, fs::path(options.output)).context("--output");
  const auto to_stream = [&out](std::string_view text) -> Result<> {
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    if (!out) return fail(Code::io, "writing to standard output");
    return {};
  };
  auto report = IMPRINT_TRY(pipeline::export_devices(request, to_stream));
  out.flush();
  IMPRINT_TRY(to_stream({}));
  return report;
}

Exit run_export(const ExportOptions& options, Console& console) {
  const auto report = export_devices(options, console.out());
  if (!report) return console.fail(report.error());
  const auto devices = [](std::uint64_t count) {
    return fmt::format("{} device{}", count, count == 1 ? "" : "s");
  };
  if (report->skipped > 0) {
    console.warn(
        fmt::format("{} left out; the first: {}", devices(report->skipped), report->first_skipped));
  }
  console.note(fmt::format("{}: {}", options.output == "-" ? "standard output" : options.output,
                           devices(report->exported)));
  return Exit::done;
}

}  // namespace

Action add_ledger_export(CLI::App& ledger) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = ledger.add_subcommand(
      "export", "Tell a server which devices to accept; safe at any time, like list");
  command->footer(std::string(help::kLedger));
  command->add_option("FILE", options->file, "The ledger")->capture_default_str();
  command
      ->add_option("--format", options->format,
                   "preauthorize (Mender, one request a line), csv, json, aws (bulk registration), "
                   "azure-dps (bulk enrollment)")
      ->required();
  command->add_option("--id", options->ids, "Only this device (repeat as needed)");
  command
      ->add_option("--state", options->state, "Devices whose latest certificate is in this state")
      ->capture_default_str();
  command->add_option("--identity-data", options->identity_data,
                      "What devices without recorded identity data report: NAME=TEMPLATE, such as "
                      "sn={id} (repeat as needed)");
  command->add_flag("--skip-incomplete", options->skip_incomplete,
                    "Leave out devices of which the ledger knows too little for this format");
  command->add_option("--output", options->output, "File to write; - is standard output")
      ->capture_default_str();
  return [options](Console& console) { return run_export(*options, console); };
}

}  // namespace imprint::cli
