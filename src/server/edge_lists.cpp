// Who is a device, and who is one no more: the CA of the devices and the lists of what it has taken
// back.

#include "edge_lists.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "edge_files.hpp"
#include "imprint/authority/describe.hpp"
#include "imprint/base/folder_lock.hpp"
#include "imprint/base/text.hpp"
#include "imprint/pipeline/revocation.hpp"
#include "lost_revocations.hpp"
#include "revoked_map.hpp"

namespace imprint::server {

namespace {

crypto::ByteSink into(std::string& text) {
  return [&text](ByteView bytes) -> Result<> {
    text += text_of(bytes);
    return {};
  };
}

pipeline::CrlRequest list_request(const EdgeAuthority& devices, const DeviceCa& ca,
                                  pipeline::CrlFormat format) {
  pipeline::CrlRequest request;
  request.ledger = devices.ledger;
  request.authority = devices.source;
  request.opened = ca.opened ? &*ca.opened : nullptr;
  request.format = format;
  request.days = devices.crl_days;
  return request;
}

void report_crl(const pipeline::CrlReport& crl, EdgeReport& report) {
  report.crl_next_update = crl.next_update;
  add_new(crl.warnings, report.warnings);
}

}  // namespace

std::string DeviceCa::pem() const {
  std::string text;
  for (const crypto::Certificate& certificate : certificates)
    text += certificate.to_pem();
  return text;
}

void add_new(const std::vector<std::string>& more, std::vector<std::string>& warnings) {
  for (const std::string& warning : more) {
    if (std::ranges::find(warnings, warning) == warnings.end()) warnings.push_back(warning);
  }
}

Result<DeviceCa> open_ca(const EdgeAuthority& devices, TimePoint now,
                         std::vector<std::string>& warnings) {
  DeviceCa ca;
  if (devices.signs) {
    ca.opened = IMPRINT_TRY(authority::Authority::open(devices.source, now));
    ca.certificates.push_back(ca.opened->certificate());
    ca.certificates.insert(ca.certificates.end(), ca.opened->chain().begin(),
                           ca.opened->chain().end());
    warnings.assign(ca.opened->warnings().begin(), ca.opened->warnings().end());
  } else {
    const auto described = IMPRINT_TRY(authority::describe(devices.source, now));
    ca.certificates.push_back(described.certificate);
    ca.certificates.insert(ca.certificates.end(), described.chain.begin(), described.chain.end());
    warnings = described.warnings;
  }
  if (!ca.certificates.back().is_self_signed()) {
    warnings.push_back(fmt::format(
        "ca.crt does not reach a root: {} is not self-signed, and nginx lets nobody in then; put "
        "the certificates above it into the CA's chain file",
        quoted(ca.certificates.back().subject_text())));
  }
  return ca;
}

Result<bool> has_ledger(const EdgeAuthority& devices) {
  if (IMPRINT_TRY(path_exists(devices.ledger))) return true;
  if (!devices.ledger_named) return false;
  return fail(Code::not_found,
              fmt::format("there is no ledger {}: without the right one the lists of revoked "
                          "certificates would be empty (a batch writes it into its output folder)",
                          quoted(devices.ledger.string())));
}

Result<> keep_revocations(const fs::path& directory, const EdgeAuthority& devices,
                          const DeviceCa& ca, const Clock& clock) {
  std::string blacklist;
  if (IMPRINT_TRY(has_ledger(devices))) {
    IMPRINT_TRY(pipeline::write_revocations(
        list_request(devices, ca, pipeline::CrlFormat::blacklist), clock, into(blacklist)));
  }
  return refuse_lost_revocations(directory / edge_file::kBlacklist, blacklist, devices.ledger);
}

Result<Lists> make_lists(const EdgeAuthority& devices, const DeviceCa& ca, EdgeReport& report,
                         const Clock& clock) {
  Lists lists;
  if (!IMPRINT_TRY(has_ledger(devices))) {
    report.notes.push_back(
        fmt::format("there is no ledger {}: nothing is revoked", quoted(devices.ledger.string())));
    return lists;
  }
  const auto blacklist = IMPRINT_TRY(pipeline::write_revocations(
      list_request(devices, ca, pipeline::CrlFormat::blacklist), clock, into(lists.blacklist)));
  report.revoked = blacklist.entries;
  if (!ca.opened) return lists;
  const auto crl = IMPRINT_TRY(pipeline::write_revocations(
      list_request(devices, ca, pipeline::CrlFormat::pem), clock, into(lists.crl)));
  report_crl(crl, report);
  return lists;
}

Result<EdgeReport> refresh_edge(const fs::path& directory, const EdgeAuthority& devices,
                                const Clock& clock) {
  EdgeReport report;
  if (!IMPRINT_TRY(path_exists(directory / edge_file::kBlacklist))) {
    return fail(Code::not_found, fmt::format("{} holds no bundle to refresh: make it with 'imprint "
                                             "edge' without --refresh",
                                             quoted(directory.string())));
  }
  EdgeAuthority named = devices;
  named.ledger_named = true;  // empty lists would let everybody in again
  IMPRINT_TRY(has_ledger(named));
  const DeviceCa ca = IMPRINT_TRY(open_ca(devices, clock.now(), report.warnings));
  // Nobody exchanges or refreshes the bundle meanwhile.
  const FolderLock lock = IMPRINT_TRY(FolderLock::acquire(directory));
  const bool had_crl = IMPRINT_TRY(path_exists(directory / edge_file::kCrl));
  if (had_crl && !ca.opened) {
    return fail(Code::not_found,
                fmt::format("{} needs the CA's key, which is not there: refresh where it is",
                            quoted((directory / edge_file::kCrl).string())));
  }
  IMPRINT_TRY(keep_revocations(directory, devices, ca, clock));
  const auto remake = [&](const char* name, pipeline::CrlFormat format) {
    report.files.push_back(directory / name);
    pipeline::CrlRequest request = list_request(devices, ca, format);
    request.folder_is_locked = true;
    return pipeline::write_revocations(request, clock, directory / name);
  };
  // The CRL first: of all three it is what can fail, and then they stay what they were.
  if (ca.opened) {
    const auto crl = IMPRINT_TRY(remake(edge_file::kCrl, pipeline::CrlFormat::pem));
    report_crl(crl, report);
  }
  const auto blacklist = IMPRINT_TRY(remake(edge_file::kBlacklist, pipeline::CrlFormat::blacklist));
  report.revoked = blacklist.entries;
  const Bytes serials = IMPRINT_TRY(read_file(directory / edge_file::kBlacklist));
  IMPRINT_TRY(write_file_atomic(directory / edge_file::kMap,
                                bytes_of(revoked_map(text_of(serials))), 0644));
  report.files.push_back(directory / edge_file::kMap);
  return report;
}

}  // namespace imprint::server
