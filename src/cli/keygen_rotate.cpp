#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "help.hpp"
#include "imprint/server/rotate.hpp"
#include "imprint/server/service_key.hpp"
#include "imprint/server/tree.hpp"
#include "interrupt.hpp"
#include "keygen.hpp"

namespace imprint::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  KeygenNames names;
  KeygenCa ca;
  fs::path out = "keys-generated";
  std::optional<std::uint32_t> days;
  std::string service;
  std::string service_key;
  bool switch_to = false;
  bool finish = false;
  bool force = false;
  bool json = false;

  [[nodiscard]] server::RotateStep step() const noexcept {
    if (switch_to) return server::RotateStep::switch_to;
    return finish ? server::RotateStep::finish : server::RotateStep::begin;
  }
};

Result<server::RotateReport> rotate_service(const Options& options, const std::atomic<bool>& stop) {
  server::ServiceKeyRotation request;
  request.directory = options.out;
  request.service = IMPRINT_TRY(server::parse_service(options.service).context("--service"));
  request.step = options.step();
  if (!options.service_key.empty()) {
    request.kind =
        IMPRINT_TRY(server::parse_service_key_kind(options.service_key).context("--service-key"));
  }
  request.force = options.force;
  request.stop = &stop;
  return server::rotate_service_key(request, system_clock());
}

Result<server::RotateReport> rotate_certificates(const Options& options,
                                                 const std::atomic<bool>& stop) {
  server::CertificateRotation request;
  request.directory = options.out;
  request.step = options.step();
  const server::Deployment tree = IMPRINT_TRY(server::read_tree(options.out));
  request.servers = IMPRINT_TRY(given_names(options.names, tree.layout));
  request.days = options.days;
  request.ca = IMPRINT_TRY(options.ca.choice());
  request.force = options.force;
  request.stop = &stop;
  return server::rotate_certificates(request, system_clock());
}

Json record_of(const server::RotateReport& report) {
  Json certificates = Json::array();
  for (const server::PlacedCertificate& placed : report.certificates) {
    certificates.push_back({{"certificate", placed.file.string()},
                            {"subject", placed.certificate.subject_text()},
                            {"serial", placed.certificate.serial_hex()},
                            {"not_before", to_rfc3339(placed.certificate.not_before())},
                            {"not_after", to_rfc3339(placed.certificate.not_after())}});
  }
  return {{"version", 1},
          {"state", report.state},
          {"changed", report.changed},
          {"certificates", std::move(certificates)},
          {"warnings", report.warnings},
          {"notes", report.notes}};
}

Exit run(const Options& options, Console& console) {
  const InterruptGuard interrupt;
  const auto report = options.service.empty() ? rotate_certificates(options, interrupt.requested())
                                              : rotate_service(options, interrupt.requested());
  if (!report) return console.fail(report.error());
  for (const std::string& warning : report->warnings)
    console.warn(warning);
  if (options.json) {
    console.out() << record_of(*report).dump(2) << '\n';
    return Exit::done;
  }
  for (const std::string& note : report->notes)
    console.note(note);
  return Exit::done;
}

void add_certificate_options(CLI::App& command, Options& options, CLI::Option* service) {
  options.names.add_to(command);
  command.add_option("--days", options.days, "Validity of the next certificate")
      ->default_str(std::to_string(server::kDefaultDays))
      ->excludes(service);
  options.ca.add_to(command);
  for (const char* const name : {"--cn", "--san", "--api-cn", "--storage-cn", "--ca"})
    command.get_option(name)->excludes(service);
}

}  // namespace

Action add_keygen_rotate(CLI::App& keygen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = keygen.add_subcommand(
      "rotate", "Let the server's certificates, or a service's key, be followed by the next");
  command->footer(std::string(help::kKeygen));
  command->add_option("--out", options->out, "Folder that 'imprint keygen' has made")
      ->capture_default_str();
  CLI::Option* service = command->add_option(
      "--service", options->service,
      "Rotate the key of this service instead of the certificates: deviceauth, useradm");
  command
      ->add_option("--service-key", options->service_key,
                   "Kind of the next key (default: that of the present one)")
      ->needs(service);
  add_certificate_options(*command, *options, service);
  CLI::Option* switch_to =
      command
          ->add_flag("--switch", options->switch_to,
                     "The server uses the next certificate; all clients have the new server.crt")
          ->excludes(service);
  CLI::Option* finish =
      command->add_flag("--finish", options->finish, "The old certificate or key is dropped")
          ->excludes(switch_to);
  // Only the first step makes a certificate or a key.
  for (const char* const name :
       {"--days", "--cn", "--san", "--api-cn", "--storage-cn", "--ca", "--service-key"})
    command->get_option(name)->excludes(switch_to)->excludes(finish);
  command->add_flag("--force", options->force,
                    "Also when the old certificate has ended, or tokens of the old key are valid");
  command->add_flag("--json", options->json, "Print the state as JSON");
  return [options](Console& console) { return run(*options, console); };
}

}  // namespace imprint::cli
