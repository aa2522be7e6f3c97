#include "imprint/pipeline/inject.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "engine_options.hpp"
#include "help.hpp"
#include "layout_options.hpp"
#include "setting.hpp"
#include "unpacking.hpp"

namespace imprint::cli {

namespace {

struct InjectOptions {
  pipeline::InjectRequest request;
  EngineOptions engine;
  std::vector<std::string> settings;
  bool json = false;
};

std::string report_json(const pipeline::InjectReport& report) {
  const nlohmann::ordered_json record = {
      {"version", 1},
      {"image", report.image.string()},
      {"id", report.id},
      {"subject", report.subject},
      {"serial", report.serial_hex},
      {"certificate_sha256", report.certificate_sha256},
      {"minted", report.minted},
      {"replaced", report.replaced},
      {"bytes_written", report.bytes_written},
      {"notes", report.notes},
      {"warnings", report.warnings},
  };
  return record.dump(2) + "\n";
}

Exit run_inject_command(InjectOptions& options, Console& console) {
  auto settings = parse_settings(options.settings);
  if (!settings) return console.fail(settings.error());
  options.request.variables = std::move(*settings);
  options.request.unpacking = unpacking_for(console);
  auto engine = options.engine.choice();
  if (!engine) return console.fail(engine.error());
  options.request.engine = std::move(*engine);
  const Clock& clock = system_clock();
  const auto report = pipeline::inject(options.request, clock);
  if (!report) return console.fail(report.error());
  for (const std::string& warning : report->warnings)
    console.warn(warning);
  for (const std::string& note : report->notes)
    console.note(note);
  if (options.json) {
    console.out() << report_json(*report);
  } else {
    console.note(fmt::format("{}: '{}' {} ({}, serial {})", report->image.string(), report->id,
                             report->replaced ? "replaced" : "written", report->subject,
                             report->serial_hex));
  }
  return Exit::done;
}

}  // namespace

Action add_inject(CLI::App& program) {
  auto options = std::make_shared<InjectOptions>();
  pipeline::InjectRequest& request = options->request;
  CLI::App* command =
      program.add_subcommand("inject", "Give one image an identity, in place or into a copy");
  command->footer(std::string(help::kInject));
  command->add_option("IMAGE", request.image, "Disk image")->required();
  command->add_option("--id", request.id, "The device's id")->required();
  CLI::Option* ca = command->add_option("--ca", request.ca_directory,
                                        "CA folder to mint with (ca-cert.pem, ca-private.key)");
  command
      ->add_option(
          "--ca-passphrase", request.ca_passphrase,
          "Where the CA key's passphrase or the token's PIN is: env:NAME, file:PATH, fd:N, "
          "credential:NAME, prompt")
      ->needs(ca);
  CLI::Option* certificate = command->add_option(
      "--cert", request.certificate, "Certificate to write instead of minting one (PEM)");
  CLI::Option* key =
      command->add_option("--key", request.key, "Its private key (PEM, unencrypted)");
  certificate->needs(key)->excludes(ca);
  key->needs(certificate);
  CLI::Option* manifest = command->add_option(
      "--manifest", request.manifest, "Take identity, files and configuration from this manifest");
  command
      ->add_option("--set", options->settings,
                   "Variable of the manifest's templates: name=value (repeat as needed)")
      ->needs(manifest);
  command->add_option("--server-url", request.conf.server_urls,
                      "Server for mender.conf: ServerURL (several: Servers)");
  command->add_option("--tenant-token-file", request.conf.tenant_token_file,
                      "File with the tenant token for mender.conf");
  command->add_option("--server-certificate", request.conf.server_certificate,
                      "Certificates (PEM) that the device is to trust: ServerCertificate");
  command->add_option("--artifact-verify-key", request.conf.artifact_verify_keys,
                      "Public key (PEM) that Artifacts have to be signed for (several: a list)");
  command->add_option("--output", request.output,
                      "Write a new image here instead of changing IMAGE");
  command->add_option("--ledger", request.ledger,
                      "Ledger to record in (default: ledger.db beside the CA certificate)");
  add_layout_options(*command, request.layout);
  add_engine_options(*command, options->engine);
  command->add_flag("--force", request.force, "Replace an identity that is there already");
  command->add_flag("--json", options->json, "Print what was done as JSON on standard output");
  return [options](Console& console) { return run_inject_command(*options, console); };
}

}  // namespace imprint::cli
