#include "imprint/server/edge.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ca_options.hpp"
#include "command.hpp"
#include "help.hpp"
#include "imprint/manifest/authority_folder.hpp"

namespace imprint::cli {

namespace {

struct EdgeOptions {
  server::EdgeRequest request;
  fs::path ca;
  std::string passphrase;
  fs::path ledger;
  bool refresh = false;
  bool renew = false;
  bool json = false;
};

/// The CA's key is needed to issue; else it is used when it is there.
Result<server::EdgeAuthority> devices_of(const EdgeOptions& options) {
  server::EdgeAuthority devices;
  auto source = find_ca(options.ca, options.passphrase, "--ca-passphrase");
  const bool must_sign = !options.refresh && !options.request.certificate;
  if (!source && source.error().code == Code::not_found && !must_sign) {
    devices.signs = false;
    source = manifest::find_authority(options.ca, manifest::KeyNeed::none);
  }
  devices.source = IMPRINT_TRY(std::move(source).context("--ca"));
  devices.ledger = options.ledger.empty() ? options.ca / "ledger.db" : options.ledger;
  devices.ledger_named = !options.ledger.empty();
  devices.crl_days = options.request.devices.crl_days;
  return devices;
}

Result<server::EdgeReport> make(EdgeOptions& options) {
  const bool given = options.request.certificate.has_value();
  if (!options.refresh && !options.renew && !given && options.request.common_name.empty()) {
    return fail(Code::invalid_input,
                "say what the server is called: --cn NAME, for a certificate of this CA, or give "
                "--cert FILE --key FILE");
  }
  options.request.devices = IMPRINT_TRY(devices_of(options));
  if (options.refresh)
    return server::refresh_edge(options.request.directory, options.request.devices, system_clock());
  return options.renew ? server::renew_edge(options.request, system_clock())
                       : server::make_edge(options.request, system_clock());
}

std::string report_json(const server::EdgeReport& report) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const fs::path& file : report.files)
    files.push_back(file.string());
  nlohmann::ordered_json record = {{"version", 1}, {"files", files}};
  if (report.revoked) record["revoked"] = *report.revoked;
  if (!report.server_subject.empty()) {
    record["server_subject"] = report.server_subject;
    record["server_not_after"] = to_rfc3339(report.server_not_after);
  }
  if (report.crl_next_update) record["crl_next_update"] = to_rfc3339(*report.crl_next_update);
  record["warnings"] = report.warnings;
  record["notes"] = report.notes;
  return record.dump(2) + "\n";
}

Exit run_edge(EdgeOptions& options, Console& console) {
  const auto report = make(options);
  if (!report) return console.fail(report.error());
  for (const std::string& warning : report->warnings)
    console.warn(warning);
  for (const std::string& note : report->notes)
    console.note(note);
  if (options.json) {
    console.out() << report_json(*report);
    return Exit::done;
  }
  const std::string directory = options.request.directory.string();
  if (!report->server_subject.empty()) {
    console.note(fmt::format("{}/server.crt: {}, valid to {}", directory, report->server_subject,
                             to_rfc3339(report->server_not_after)));
  }
  if (report->revoked) {
    console.note(fmt::format("{}/blacklist: {} revoked certificate{}", directory, *report->revoked,
                             *report->revoked == 1 ? "" : "s"));
  }
  if (report->crl_next_update) {
    console.note(fmt::format("{}/devices.crl.pem: next update {}", directory,
                             to_rfc3339(*report->crl_next_update)));
  }
  return Exit::done;
}

void add_server_options(CLI::App& command, server::EdgeRequest& request) {
  CLI::Option* name = command.add_option("--cn", request.common_name,
                                         "Common name of the server's certificate: its host name");
  CLI::Option* more = command.add_option(
      "--san", request.alt_names, "Another name of it: DNS:NAME or IP:ADDRESS (repeat as needed)");
  CLI::Option* days = command.add_option(
      "--days", request.days,
      "Validity of it (default: 730, with --renew that of the certificate before)");
  CLI::Option* certificate = command.add_option(
      "--cert", request.certificate, "Use this certificate (PEM, with its chain) instead");
  CLI::Option* key = command.add_option("--key", request.key, "Its key (PEM, unencrypted)");
  certificate->needs(key)->excludes(name)->excludes(more)->excludes(days);
  key->needs(certificate);
  command.add_option("--backend", request.backend, "URL of the Mender server behind the edge");
  command.add_option("--listen", request.listen, "Where devices connect: PORT or ADDRESS:PORT")
      ->capture_default_str();
}

/// What is done to a bundle that is there. An option that only a whole bundle heeds goes with none
/// of the others, rather than being passed over.
void add_modes(CLI::App& command, EdgeOptions& options) {
  CLI::Option* force = command.add_flag("--force", options.request.replace,
                                        "Replace the files of a bundle that is there");
  CLI::Option* renew = command.add_flag(
      "--renew", options.renew,
      "Only replace the server's key and certificate, by new ones for the same names or by --cert "
      "and --key");
  CLI::Option* refresh = command.add_flag("--refresh", options.refresh,
                                          "Only make the lists of revoked certificates anew");
  renew->excludes(force);
  refresh->excludes(force)->excludes(renew);
  for (const char* name : {"--cn", "--san", "--backend", "--listen"}) {
    renew->excludes(command.get_option(name));
    refresh->excludes(command.get_option(name));
  }
  renew->excludes(command.get_option("--crl-days"));
  for (const char* name : {"--days", "--cert", "--key"})
    refresh->excludes(command.get_option(name));
}

}  // namespace

Action add_edge(CLI::App& program) {
  auto options = std::make_shared<EdgeOptions>();
  server::EdgeRequest& request = options->request;
  CLI::App* command =
      program.add_subcommand("edge", "Make the bundle of the mutual-TLS edge that devices talk to");
  command->footer(std::string(help::kEdge));
  command->add_option("--ca", options->ca, "Folder of the CA that issues the devices' certificates")
      ->required();
  command->add_option("--ca-passphrase", options->passphrase,
                      "Where the CA key's passphrase or the token's PIN is: env:NAME, file:PATH, "
                      "fd:N, credential:NAME, prompt");
  command->add_option("--out", request.directory, "Folder of the bundle")->capture_default_str();
  add_server_options(*command, request);
  command->add_option("--ledger", options->ledger,
                      "Ledger with the devices and what was revoked (default: ledger.db in --ca)");
  command->add_option("--crl-days", request.devices.crl_days, "Until the next CRL is due")
      ->capture_default_str();
  add_modes(*command, *options);
  command->add_flag("--json", options->json, "Print what was made as JSON");
  return [options](Console& console) { return run_edge(*options, console); };
}

}  // namespace imprint::cli
