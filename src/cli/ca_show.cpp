#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ca.hpp"
#include "ca_options.hpp"
#include "help.hpp"
#include "imprint/authority/describe.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::cli {

namespace {

using Json = nlohmann::ordered_json;

struct ShowOptions {
  CaOptions ca;
  fs::path ledger;
  bool json = false;
};

/// What the ledger says of the CA's certificates.
struct Issued {
  std::map<std::string, std::uint64_t> states;  ///< how many are in which state
  std::uint64_t revoked = 0;
  std::optional<TimePoint> next_crl;  ///< when the latest CRL wants to be replaced
};

/// None when there is no ledger.
Result<std::optional<Issued>> count(const fs::path& path, const crypto::Certificate& ca) {
  auto ledger = ledger::Ledger::open_read_only(path);
  if (!ledger && ledger.error().code == Code::not_found) return std::optional<Issued>();
  if (!ledger) return fail(std::move(ledger).error());
  Issued issued;
  IMPRINT_TRY(ledger->for_each([&](const ledger::DeviceRow& row) {
    ++issued.states[std::string(ledger::name(row.state))];
    if (row.revoked) ++issued.revoked;
  }));
  const auto crl = IMPRINT_TRY(ledger->latest_crl(crypto::sha256(ca.public_key_der())));
  if (crl) issued.next_crl = crl->next_update;
  return std::optional<Issued>(std::move(issued));
}

std::string kind_of(const crypto::Certificate& certificate) {
  if (certificate.version() < 3) return "X.509 v1, self-signed root";
  const auto length = certificate.path_length();
  return fmt::format("{}{}", certificate.is_self_signed() ? "root" : "intermediate",
                     length ? fmt::format(", path length {}", *length) : std::string());
}

std::string key_kind_of(const crypto::Certificate& certificate) {
  const auto kind = certificate.key_kind();
  return std::string(kind ? crypto::name(*kind) : "another kind of key");
}

Json certificate_json(const crypto::Certificate& certificate) {
  const auto length = certificate.path_length();
  return {{"subject", certificate.subject_text()},
          {"issuer", certificate.issuer_text()},
          {"serial", certificate.serial_hex()},
          {"sha256", to_hex(certificate.fingerprint())},
          {"not_before", to_rfc3339(certificate.not_before())},
          {"not_after", to_rfc3339(certificate.not_after())},
          {"key", key_kind_of(certificate)},
          {"signature", certificate.signature_algorithm()},
          {"self_signed", certificate.is_self_signed()},
          {"path_length", length ? Json(*length) : Json()}};
}

void print_json(const authority::CaDescription& ca, const std::optional<Issued>& issued,
                Console& console) {
  Json record = {{"version", 1}, {"certificate", certificate_json(ca.certificate)}};
  record["chain"] = Json::array();
  for (const crypto::Certificate& above : ca.chain)
    record["chain"].push_back(certificate_json(above));
  record["key"] = {{"location", ca.key}, {"state", ca.key_state}};
  record["problems"] = ca.problems;
  record["warnings"] = ca.warnings;
  record["issued"] = issued ? Json(issued->states) : Json();
  record["revoked"] = issued ? Json(issued->revoked) : Json();
  record["next_crl"] = issued && issued->next_crl ? Json(to_rfc3339(*issued->next_crl)) : Json();
  console.out() << record.dump(2) << '\n';
}

std::string days_left(TimePoint end, TimePoint now) {
  const auto days = std::chrono::floor<std::chrono::days>(end - now).count();
  return days < 0 ? "expired" : fmt::format("{} days left", days);
}

void print_text(const authority::CaDescription& ca, const std::optional<Issued>& issued,
                TimePoint now, Console& console) {
  std::ostream& out = console.out();
  const crypto::Certificate& certificate = ca.certificate;
  const auto line = [&out](std::string_view label, std::string_view text) {
    out << fmt::format("{:<12} {}\n", label, text);
  };
  line("subject", certificate.subject_text());
  line("issuer", certificate.issuer_text());
  line("kind", kind_of(certificate));
  line("valid",
       fmt::format("{} to {} ({})", to_rfc3339(certificate.not_before()),
                   to_rfc3339(certificate.not_after()), days_left(certificate.not_after(), now)));
  line("serial", certificate.serial_hex());
  line("sha256", to_hex(certificate.fingerprint()));
  line("public key", key_kind_of(certificate));
  line("signed with", certificate.signature_algorithm());
  for (const crypto::Certificate& above : ca.chain) {
    line("above it", fmt::format("{}, to {}", above.subject_text(), to_rfc3339(above.not_after())));
  }
  line("private key", fmt::format("{} ({})", ca.key, ca.key_state));
  if (issued) {
    std::string text;
    for (const auto& [state, number] : issued->states)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number, state);
    if (issued->revoked > 0) text += fmt::format("; {} revoked", issued->revoked);
    line("issued", text.empty() ? "nothing yet" : text);
    if (issued->next_crl) {
      line("next CRL", fmt::format("due on {}{}", to_rfc3339(*issued->next_crl),
                                   *issued->next_crl < now ? " (overdue)" : ""));
    }
  }
  for (const std::string& warning : ca.warnings)
    line("warning", warning);
  for (const std::string& problem : ca.problems)
    line("problem", problem);
}

Exit run_show(const ShowOptions& options, Console& console) {
  const auto source = options.ca.source();
  if (!source) return console.fail(source.error());
  const TimePoint now = system_clock().now();
  const auto described = authority::describe(*source, now);
  if (!described) return console.fail(described.error());
  const auto issued =
      count(options.ledger.empty() ? options.ca.directory / "ledger.db" : options.ledger,
            described->certificate);
  if (!issued) return console.fail(issued.error());
  if (options.json) {
    print_json(*described, *issued, console);
  } else {
    print_text(*described, *issued, now, console);
  }
  return Exit::done;
}

}  // namespace

Entry add_ca_show(CLI::App& ca) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* command = ca.add_subcommand(
      "show", "Say what a CA is, where its key is, and what it has issued; needs no passphrase");
  command->footer(std::string(help::kCa));
  options->ca.add_to(*command);
  command->add_option("--ledger", options->ledger, "Ledger to count in (default: DIR/ledger.db)");
  command->add_flag("--json", options->json, "Print it as JSON");
  return {command, [options](Console& console) { return run_show(*options, console); }};
}

}  // namespace imprint::cli
