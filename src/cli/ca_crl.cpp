#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ca.hpp"
#include "ca_options.hpp"
#include "help.hpp"
#include "imprint/pipeline/revocation.hpp"

namespace imprint::cli {

namespace {

struct CrlOptions {
  CaOptions ca;
  fs::path ledger;
  std::string output;
  std::string format = "pem";
  std::uint32_t days = pipeline::CrlRequest().days;
  bool json = false;
};

Result<pipeline::CrlReport> write_list(const CrlOptions& options, Console& console) {
  pipeline::CrlRequest request;
  request.format = IMPRINT_TRY(pipeline::parse_crl_format(options.format).context("--format"));
  request.ledger = options.ledger.empty() ? options.ca.directory / "ledger.db" : options.ledger;
  request.authority = request.format == pipeline::CrlFormat::blacklist
                          ? IMPRINT_TRY(options.ca.certificate_source())
                          : IMPRINT_TRY(options.ca.source());
  request.days = options.days;
  if (options.output != "-") {
    return pipeline::write_revocations(request, system_clock(), fs::path(options.output));
  }
  return pipeline::write_revocations(request, system_clock(), [&](ByteView bytes) -> Result<> {
    const std::string_view text = text_of(bytes);
    console.out().write(text.data(), static_cast<std::streamsize>(text.size()));
    if (!console.out()) return fail(Code::io, "writing to standard output");
    return {};
  });
}

Exit run_crl(const CrlOptions& options, Console& console) {
  if (options.json && options.output == "-") {
    return console.fail(Error(Code::invalid_input, "--json needs an --output that is a file"));
  }
  const auto report = write_list(options, console);
  if (!report) return console.fail(report.error());
  for (const std::string& warning : report->warnings)
    console.warn(warning);
  if (options.json) {
    nlohmann::ordered_json record = {{"version", 1},
                                     {"output", options.output},
                                     {"format", options.format},
                                     {"entries", report->entries}};
    if (report->number != 0) {
      record["number"] = report->number;
      record["this_update"] = to_rfc3339(report->this_update);
      record["next_update"] = to_rfc3339(report->next_update);
    }
    console.out() << record.dump(2) << '\n';
    return Exit::done;
  }
  const std::string where = options.output == "-" ? "standard output" : options.output;
  console.note(fmt::format(
      "{}: {} revoked certificate{}{}", where, report->entries, report->entries == 1 ? "" : "s",
      report->number == 0 ? std::string()
                          : fmt::format(", CRL number {}, next update {}", report->number,
                                        to_rfc3339(report->next_update))));
  return Exit::done;
}

}  // namespace

Entry add_ca_crl(CLI::App& ca) {
  auto options = std::make_shared<CrlOptions>();
  CLI::App* command =
      ca.add_subcommand("crl", "Write the list of revoked certificates: a CRL, or a blacklist");
  command->footer(std::string(help::kCa));
  options->ca.add_to(*command);
  command->add_option("--ledger", options->ledger,
                      "Ledger with the revocations (default: DIR/ledger.db)");
  command
      ->add_option("--output", options->output, "File to write or replace; - for standard output")
      ->required();
  command
      ->add_option("--format", options->format,
                   "pem, der, or blacklist (serials in hexadecimal, for a Mender gateway)")
      ->capture_default_str();
  command->add_option("--days", options->days, "Until the next CRL is due")->capture_default_str();
  command->add_flag("--json", options->json, "Print what was written as JSON");
  return {command, [options](Console& console) { return run_crl(*options, console); }};
}

}  // namespace imprint::cli
