#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ca.hpp"
#include "ca_options.hpp"
#include "help.hpp"
#include "imprint/authority/describe.hpp"
#include "imprint/pipeline/revocation.hpp"

namespace imprint::cli {

namespace {

/// So many are named one by one; more are counted.
constexpr std::size_t kMostNamed = 20;

struct RevokeOptions {
  CaOptions ca;
  fs::path ledger;
  std::vector<std::string> ids;
  bool all = false;
  std::vector<std::string> serials;
  std::vector<std::string> fingerprints;
  std::vector<fs::path> certificates;
  bool superseded = false;
  std::string reason;
  bool dry_run = false;
  bool json = false;
};

Result<pipeline::RevokeReport> revoke(const RevokeOptions& options) {
  const authority::AuthoritySource source = IMPRINT_TRY(options.ca.certificate_source());
  auto ca = IMPRINT_TRY(authority::read_ca_certificate(source));
  pipeline::RevokeRequest request{
      .ledger = options.ledger.empty() ? options.ca.directory / "ledger.db" : options.ledger,
      .ca = std::move(ca),
      .ids = options.ids,
      .all_of_each = options.all,
      .serials = options.serials,
      .fingerprints = options.fingerprints,
      .certificates = options.certificates,
      .superseded = options.superseded,
      .reason = std::nullopt,
      .dry_run = options.dry_run};
  if (!options.reason.empty()) {
    request.reason =
        IMPRINT_TRY(crypto::parse_revocation_reason(options.reason).context("--reason"));
  }
  return pipeline::revoke(request, system_clock());
}

void print_json(const pipeline::RevokeReport& report, bool dry_run, Console& console) {
  nlohmann::ordered_json record = {{"version", 1}, {"dry_run", dry_run}, {"notes", report.notes}};
  auto& list = record["certificates"] = nlohmann::ordered_json::array();
  for (const pipeline::RevokedCertificate& certificate : report.certificates) {
    list.push_back({{"id", certificate.device_id},
                    {"serial", certificate.serial_hex},
                    {"state", certificate.state},
                    {"reason", certificate.reason},
                    {"revoked_at", to_rfc3339(certificate.at)},
                    {"revoked_before", certificate.before}});
  }
  console.out() << record.dump(2) << '\n';
}

void print_text(const pipeline::RevokeReport& report, bool dry_run, Console& console) {
  for (const std::string& note : report.notes)
    console.note(note);
  std::size_t revoked = 0;
  std::size_t before = 0;
  for (const pipeline::RevokedCertificate& certificate : report.certificates) {
    ++(certificate.before ? before : revoked);
    if (report.certificates.size() > kMostNamed) continue;
    console.note(
        fmt::format("'{}' serial {}: {} ({})", certificate.device_id, certificate.serial_hex,
                    certificate.before ? "was revoked before, on " + to_rfc3339(certificate.at)
                                       : std::string(dry_run ? "would be revoked" : "revoked"),
                    certificate.reason));
  }
  if (report.certificates.size() > kMostNamed || report.certificates.empty()) {
    console.note(fmt::format("{} certificates {}{}", revoked,
                             dry_run ? "would be revoked" : "revoked",
                             before > 0 ? fmt::format(", {} were before", before) : std::string()));
  }
  if (revoked > 0 && !dry_run)
    console.note("verifiers learn of it by the next CRL or blacklist: imprint ca crl");
}

Exit run_revoke(const RevokeOptions& options, Console& console) {
  const auto report = revoke(options);
  if (!report) return console.fail(report.error());
  if (options.json) {
    print_json(*report, options.dry_run, console);
  } else {
    print_text(*report, options.dry_run, console);
  }
  return Exit::done;
}

}  // namespace

Entry add_ca_revoke(CLI::App& ca) {
  auto options = std::make_shared<RevokeOptions>();
  CLI::App* command = ca.add_subcommand(
      "revoke", "Take certificates back, in the ledger; needs no key (then: imprint ca crl)");
  command->footer(std::string(help::kCa));
  options->ca.add_directory_to(*command);
  command->add_option("--ledger", options->ledger,
                      "Ledger that knows them (default: DIR/ledger.db)");
  command->add_option("--id", options->ids, "A device: its latest certificate (repeat as needed)");
  command->add_flag("--all", options->all, "Its earlier certificates too");
  command->add_option("--serial", options->serials, "A certificate's serial, hexadecimal");
  command->add_option("--fingerprint", options->fingerprints,
                      "A certificate's SHA-256, hexadecimal");
  command->add_option("--certificate", options->certificates,
                      "A certificate file; recorded first when the ledger does not know it");
  command->add_flag("--superseded", options->superseded,
                    "All that an interrupted run left behind, were replaced, or got lost");
  command->add_option("--reason", options->reason,
                      "RFC 5280's word: keyCompromise, cessationOfOperation, superseded, ...");
  command->add_flag("--dry-run", options->dry_run, "Only say what would be revoked");
  command->add_flag("--json", options->json, "Print it as JSON");
  return {command, [options](Console& console) { return run_revoke(*options, console); }};
}

}  // namespace imprint::cli
