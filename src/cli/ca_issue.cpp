#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ca.hpp"
#include "ca_options.hpp"
#include "help.hpp"
#include "imprint/pipeline/issue.hpp"
#include "setting.hpp"

namespace imprint::cli {

namespace {

/// What both commands have.
struct IssueOptions {
  CaOptions ca;
  std::string key;
  fs::path public_key;
  fs::path csr;
  fs::path output = ".";
  fs::path ledger;
  bool json = false;

  void add_to(CLI::App& command) {
    ca.add_to(command);
    CLI::Option* kind =
        command.add_option("--key", key,
                           "Kind of the new key: ec:P-256 (default), ec:P-384, ec:P-521, "
                           "rsa:2048|3072|4096, ed25519");
    CLI::Option* given = command.add_option(
        "--public-key", public_key, "Certify this public key (PEM or DER) instead of a new one");
    command
        .add_option("--csr", csr,
                    "Certify the key of this certificate request; the names in it are not used")
        ->excludes(given)
        ->excludes(kind);
    given->excludes(kind);
    command.add_option("--output", output, "Folder for certificate and key")->capture_default_str();
    command.add_option("--ledger", ledger, "Ledger to record in (default: DIR/ledger.db)");
    command.add_flag("--json", json, "Print what was issued as JSON");
  }

  [[nodiscard]] pipeline::IssueTarget target() const {
    pipeline::IssueTarget target{.directory = output,
                                 .ledger = ledger.empty() ? ca.directory / "ledger.db" : ledger,
                                 .public_key = std::nullopt};
    if (!public_key.empty()) target.public_key = public_key;
    if (!csr.empty()) target.public_key = csr;
    return target;
  }

  [[nodiscard]] Result<std::optional<crypto::KeyKind>> key_kind() const {
    if (key.empty()) return std::optional<crypto::KeyKind>();
    const crypto::KeyKind kind = IMPRINT_TRY(crypto::parse_key_kind(key).context("--key"));
    return std::optional<crypto::KeyKind>(kind);
  }
};

struct DeviceOptions {
  IssueOptions issue;
  std::string id;
  fs::path manifest;
  std::vector<std::string> settings;
  std::optional<std::uint32_t> days;
};

struct ServerOptions {
  IssueOptions issue;
  std::string common_name;
  std::vector<std::string> alt_names;
  std::uint32_t days = pipeline::ServerRequest().days;
};

Exit report(const Result<pipeline::IssueReport>& issued, const IssueOptions& options,
            Console& console) {
  if (!issued) return console.fail(issued.error());
  const crypto::Certificate& certificate = issued->parsed;
  for (const std::string& warning : issued->warnings)
    console.warn(warning);
  for (const std::string& note : issued->notes)
    console.note(note);
  if (options.json) {
    nlohmann::ordered_json record = {
        {"version", 1},
        {"certificate", issued->certificate.string()},
        {"key", issued->key ? nlohmann::ordered_json(issued->key->string()) : nullptr},
        {"subject", certificate.subject_text()},
        {"serial", certificate.serial_hex()},
        {"sha256", to_hex(certificate.fingerprint())},
        {"not_before", to_rfc3339(certificate.not_before())},
        {"not_after", to_rfc3339(certificate.not_after())},
        {"warnings", issued->warnings},
        {"notes", issued->notes},
    };
    console.out() << record.dump(2) << '\n';
    return Exit::done;
  }
  console.note(fmt::format("{}: {}, valid to {}, serial {}", issued->certificate.string(),
                           certificate.subject_text(), to_rfc3339(certificate.not_after()),
                           certificate.serial_hex()));
  if (issued->key)
    console.note(fmt::format("{}: its private key, not encrypted", issued->key->string()));
  return Exit::done;
}

Result<pipeline::IssueReport> issue_device(const DeviceOptions& options) {
  pipeline::DeviceRequest request;
  request.authority = IMPRINT_TRY(options.issue.ca.source());
  request.target = options.issue.target();
  request.id = options.id;
  if (!options.manifest.empty()) request.manifest = options.manifest;
  request.variables = IMPRINT_TRY(parse_settings(options.settings));
  request.key = IMPRINT_TRY(options.issue.key_kind());
  request.days = options.days;
  return pipeline::issue_device(request, system_clock());
}

Result<pipeline::IssueReport> issue_server(const ServerOptions& options) {
  pipeline::ServerRequest request;
  request.authority = IMPRINT_TRY(options.issue.ca.source());
  request.target = options.issue.target();
  request.common_name = options.common_name;
  request.alt_names = options.alt_names;
  request.key = IMPRINT_TRY(options.issue.key_kind());
  request.days = options.days;
  return pipeline::issue_server(request, system_clock());
}

}  // namespace

Entry add_ca_issue_device(CLI::App& ca) {
  auto options = std::make_shared<DeviceOptions>();
  CLI::App* command = ca.add_subcommand("issue-device", "Issue one device certificate to a file");
  command->footer(std::string(help::kCa));
  options->issue.add_to(*command);
  command->add_option("--id", options->id, "The device's id")->required();
  CLI::Option* manifest =
      command->add_option("--manifest", options->manifest,
                          "Take the certificate's profile from this manifest's identity");
  command
      ->add_option("--set", options->settings,
                   "Variable of the manifest's templates: name=value (repeat as needed)")
      ->needs(manifest);
  command->add_option("--days", options->days,
                      "Validity (default: the manifest's, without one 3650)");
  return {command, [options](Console& console) {
            return report(issue_device(*options), options->issue, console);
          }};
}

Entry add_ca_issue_server(CLI::App& ca) {
  auto options = std::make_shared<ServerOptions>();
  CLI::App* command = ca.add_subcommand("issue-server", "Issue a TLS server certificate to a file");
  command->footer(std::string(help::kCa));
  options->issue.add_to(*command);
  command->add_option("--cn", options->common_name, "Common name, usually the host name")
      ->required();
  command->add_option("--san", options->alt_names,
                      "Another name: DNS:NAME or IP:ADDRESS (repeat as needed)");
  command->add_option("--days", options->days, "Validity")->capture_default_str();
  return {command, [options](Console& console) {
            return report(issue_server(*options), options->issue, console);
          }};
}

}  // namespace imprint::cli
