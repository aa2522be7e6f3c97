// The next certificate of a bundle's server, before the one that it has ends. Devices know the CA,
// not the certificate, so that nothing has to be brought to them first.

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "edge_files.hpp"
#include "edge_lists.hpp"
#include "edge_server.hpp"
#include "imprint/base/folder_lock.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/crypto/examine.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/server/edge.hpp"

namespace imprint::server {

namespace {

using crypto::Certificate;

constexpr std::uint64_t kPemLimitBytes = std::uint64_t{1} << 20;
constexpr std::string_view kGiveTheNext = "give the next one with --cert FILE --key FILE --renew";

Result<Certificate> certificate_of(const fs::path& directory) {
  const fs::path file = directory / edge_file::kServerCertificate;
  const auto content = read_file(file, kPemLimitBytes);
  if (!content && content.error().code == Code::not_found) {
    return fail(Code::not_found,
                fmt::format("{} holds no bundle whose server certificate could be renewed: make it "
                            "with 'imprint edge' without --renew",
                            quoted(directory.string())));
  }
  if (!content) return fail(content.error());
  return Certificate::parse(*content).context(quoted(file.string()));
}

std::vector<std::string> server_names(const Certificate& certificate) {
  std::vector<std::string> names;
  for (const std::string& name : crypto::names_of(certificate).alt_names) {
    if (name.starts_with("DNS:") || name.starts_with("IP:")) names.push_back(name);
  }
  return names;
}

/// Only what `edge` itself has had issued is renewed: of another certificate nobody here knows what
/// it has to be like, and who goes on using its file.
Result<> require_own(const EdgeRequest& request, const Certificate& before, const DeviceCa& ca) {
  const std::string file = quoted((request.directory / edge_file::kServerCertificate).string());
  const Certificate& issuer = ca.certificates.front();
  if (!crypto::is_issued_by(before, issuer)) {
    return fail(
        Code::invalid_input,
        fmt::format("{} was issued by {}, not by the CA of --ca, {}: {}", file,
                    quoted(before.issuer_text()), quoted(issuer.subject_text()), kGiveTheNext));
  }
  const auto ledger = IMPRINT_TRY(ledger::Ledger::open_read_only(request.devices.ledger));
  const auto row =
      IMPRINT_TRY(ledger.find_serial(before.serial(), crypto::sha256(issuer.public_key_der())));
  if (!row) {
    return fail(Code::invalid_input,
                fmt::format("{} is not in the ledger {}: name the one that has it with --ledger, "
                            "or {}",
                            file, quoted(request.devices.ledger.string()), kGiveTheNext));
  }
  // None: a run that was killed after the bundle had appeared.
  if (row->file.empty() || fs::path(row->file).filename() == edge_file::kServerCertificate)
    return {};
  return fail(Code::invalid_input,
              fmt::format("{} was given with --cert, and is that of {}: renew it there, and {}",
                          file, quoted(row->file), kGiveTheNext));
}

std::uint32_t days_of(const Certificate& certificate) {
  const auto days =
      std::chrono::round<std::chrono::days>(certificate.not_after() - certificate.not_before());
  return static_cast<std::uint32_t>(std::max<std::int64_t>(days.count(), 1));
}

/// What nobody wishes who has not mixed up files.
void compare(const Certificate& before, const Certificate& next, EdgeReport& report) {
  if (next.not_after() + std::chrono::days(1) < before.not_after()) {
    report.warnings.push_back(
        fmt::format("the new certificate ends on {}, before the one that it "
                    "replaces ({})",
                    to_rfc3339(next.not_after()), to_rfc3339(before.not_after())));
  }
  const auto has = server_names(next);
  std::vector<std::string> lost;
  for (const std::string& name : server_names(before)) {
    if (std::ranges::find(has, name) == has.end()) lost.push_back(quoted(name));
  }
  if (lost.empty()) return;
  report.warnings.push_back(
      fmt::format("the new certificate lacks names of the one that it replaces: {}; devices that "
                  "connect by these refuse the edge",
                  fmt::join(lost, ", ")));
}

/// A bundle whose server's files are to be exchanged.
struct Renewal {
  const EdgeRequest& request;
  const DeviceCa& ca;
  const Certificate& before;
  WholeFolder folder;
};

Result<> place(Renewal& renewal, ServerFiles server, EdgeReport& report) {
  std::vector<std::string> kept;
  const std::vector<EdgeFile> files = pair_files(std::move(server));
  IMPRINT_TRY(
      replace_edge(renewal.request.directory, std::move(renewal.folder), files, kept, report));
  report_kept(kept, report);
  return {};
}

Result<> renew_with_given(Renewal& renewal, EdgeReport& report, const Clock& clock) {
  GivenPair pair = IMPRINT_TRY(take_given(renewal.request, renewal.ca, report, clock));
  compare(renewal.before, pair.certificate, report);
  return place(renewal, {.certificates = std::move(pair.chain_pem), .key = std::move(pair.key)},
               report);
}

Result<> renew_with_issued(Renewal& renewal, EdgeReport& report, const Clock& clock) {
  const EdgeRequest& request = renewal.request;
  const Certificate& before = renewal.before;
  pipeline::ServerIdentity identity =
      IMPRINT_TRY(issue_server(request, {before.common_name(), server_names(before)},
                               request.days.value_or(days_of(before)), renewal.ca, report, clock));
  compare(before, identity.certificate, report);
  const auto rest = [&]() -> Result<> {
    ServerFiles server = IMPRINT_TRY(files_of(identity));
    return place(renewal, std::move(server), report);
  };
  if (Result<> made = rest(); !made) return fail(identity.failed(std::move(made).error(), clock));
  return identity.placed(request.directory / edge_file::kServerCertificate, clock);
}

}  // namespace

Result<EdgeReport> renew_edge(const EdgeRequest& request, const Clock& clock) {
  EdgeReport report;
  const bool given = request.certificate.has_value();
  IMPRINT_TRY(certificate_of(request.directory));  // before a passphrase is asked for
  EdgeAuthority devices = request.devices;
  devices.signs = !given;
  devices.ledger_named = true;
  if (!given) IMPRINT_TRY(has_ledger(devices));
  const DeviceCa ca = IMPRINT_TRY(open_ca(devices, clock.now(), report.warnings));
  const FolderLock lock = IMPRINT_TRY(FolderLock::acquire(request.directory));
  const Certificate before = IMPRINT_TRY(certificate_of(request.directory));
  if (!given) IMPRINT_TRY(require_own(request, before, ca));
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(request.directory, 0755));
  IMPRINT_TRY(folder.keep_all_but({edge_file::kServerKey, edge_file::kServerCertificate}));
  Renewal renewal{.request = request, .ca = ca, .before = before, .folder = std::move(folder)};
  IMPRINT_TRY(given ? renew_with_given(renewal, report, clock)
                    : renew_with_issued(renewal, report, clock));
  report.notes.push_back(
      "start the edge anew (nginx: reload it), so that it shows the new "
      "certificate");
  return report;
}

}  // namespace imprint::server
