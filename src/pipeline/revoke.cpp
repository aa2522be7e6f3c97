// Which certificates are meant, first; then one transaction.

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/version.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/pipeline/revocation.hpp"
#include "issued_certificate.hpp"

namespace imprint::pipeline {

namespace {

constexpr std::uint64_t kMaxCertificateBytes = std::uint64_t{1} << 20;
constexpr std::size_t kMaxSerialBytes = 20;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// As people copy it from other programs: `0x` before it, colons between, either case.
Result<Bytes> parse_hex(std::string_view text, std::string_view what, std::size_t max_bytes) {
  const std::string shown = fmt::format("--{} {}", what, quoted(text));
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  std::string digits;
  for (const char c : text) {
    if (c == ':' || c == ' ') continue;
    if (hex_value(c) < 0) {
      return fail(Code::invalid_input, shown + ": write it in hexadecimal");
    }
    digits += c;
  }
  if (digits.size() % 2 != 0) digits.insert(0, 1, '0');
  if (digits.empty() || digits.size() / 2 > max_bytes) {
    return fail(Code::invalid_input,
                fmt::format("{}: it has 1 to {} hexadecimal digits", shown, 2 * max_bytes));
  }
  Bytes bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(hex_value(digits[i]) << 4 | hex_value(digits[i + 1])));
  return bytes;
}

/// The certificates that a request names, each once, in the ledger's order.
class Selection {
 public:
  Selection(const RevokeRequest& request, ledger::Ledger& ledger)
      : request_(request),
        ledger_(ledger),
        authority_key_(crypto::sha256(request.ca.public_key_der())) {}

  Result<> select() {
    for (const std::string& id : request_.ids)
      IMPRINT_TRY(add_device(id));
    for (const std::string& text : request_.serials) {
      const Bytes serial = IMPRINT_TRY(parse_hex(text, "serial", kMaxSerialBytes));
      const auto row = IMPRINT_TRY(ledger_.find_serial(serial));
      IMPRINT_TRY(add_found(row, fmt::format("--serial {}", quoted(text))));
    }
    for (const std::string& text : request_.fingerprints) {
      const Bytes digest =
          IMPRINT_TRY(parse_hex(text, "fingerprint", sizeof(crypto::Sha256Digest)));
      const auto row = IMPRINT_TRY(ledger_.find_certificate(digest));
      IMPRINT_TRY(add_found(row, fmt::format("--fingerprint {}", quoted(text))));
    }
    if (request_.superseded) IMPRINT_TRY(add_superseded());
    return {};
  }

  [[nodiscard]] const std::map<std::int64_t, RevokedCertificate>& certificates() const noexcept {
    return certificates_;
  }

  [[nodiscard]] std::vector<std::string>& notes() noexcept { return notes_; }

  /// `reason` when none was given.
  void add(const ledger::DeviceRow& row, crypto::RevocationReason reason) {
    RevokedCertificate certificate{.device_id = row.device_id,
                                   .serial_hex = to_hex(row.serial),
                                   .state = std::string(ledger::name(row.state)),
                                   .reason = row.revoked_for,
                                   .at = row.revoked_at,
                                   .before = row.revoked};
    if (!row.revoked) {
      certificate.reason = crypto::word(request_.reason.value_or(reason));
      // Not in force yet when it was taken back: a clock that was set in between.
      certificate.at = row.issued_at;
    }
    certificates_.emplace(row.certificate_row, std::move(certificate));
  }

 private:
  [[nodiscard]] bool is_ours(const ledger::DeviceRow& row) const {
    return row.authority_key_sha256.empty() ||
           std::ranges::equal(row.authority_key_sha256, authority_key_);
  }

  Result<> add_found(const std::optional<ledger::DeviceRow>& row, const std::string& shown) {
    if (!row) {
      return fail(Code::not_found,
                  fmt::format("{}: the ledger {} knows no such certificate; for one that was "
                              "issued elsewhere, give its file with --certificate",
                              shown, quoted(request_.ledger.string())));
    }
    if (!is_ours(*row)) {
      return fail(
          Code::not_found,
          fmt::format("{}: the certificate was issued by another CA than {}; name that CA's "
                      "folder",
                      shown, quoted(request_.ca.subject_text())));
    }
    add(*row, crypto::RevocationReason::unspecified);
    return {};
  }

  Result<> add_device(const std::string& id) {
    const std::string shown = fmt::format("--id {}", quoted(id));
    const auto latest = IMPRINT_TRY(ledger_.find_device(id));
    if (!latest) {
      return fail(Code::not_found, fmt::format("{}: the ledger {} knows no such device", shown,
                                               quoted(request_.ledger.string())));
    }
    IMPRINT_TRY(add_found(latest, shown));
    std::size_t earlier = 0;
    IMPRINT_TRY(ledger_.for_each_of(id, [&](const ledger::DeviceRow& row) {
      if (row.certificate_row == latest->certificate_row || row.revoked || !is_ours(row)) return;
      ++earlier;
      if (request_.all_of_each) add(row, crypto::RevocationReason::unspecified);
    }));
    if (earlier > 0 && !request_.all_of_each) {
      notes_.push_back(
          fmt::format("device {} has {} earlier certificate{} that {} not revoked; "
                      "--all revokes them too",
                      quoted(id), earlier, earlier == 1 ? "" : "s", earlier == 1 ? "is" : "are"));
    }
    return {};
  }

  Result<> add_superseded() {
    return ledger_.for_each([&](const ledger::DeviceRow& row) {
      const bool replaced =
          row.state == ledger::State::superseded || row.state == ledger::State::lost;
      if (replaced && !row.revoked && is_ours(row)) add(row, crypto::RevocationReason::superseded);
    });
  }

  const RevokeRequest& request_;
  ledger::Ledger& ledger_;
  crypto::Sha256Digest authority_key_;
  std::map<std::int64_t, RevokedCertificate> certificates_;
  std::vector<std::string> notes_;
};

/// A certificate that this CA has issued without this ledger, to be recorded in it.
Result<crypto::Certificate> foreign_certificate(const fs::path& path,
                                                const crypto::Certificate& ca) {
  const std::string shown = fmt::format("--certificate {}", quoted(path.string()));
  const Bytes content = IMPRINT_TRY(read_file(path, kMaxCertificateBytes).context("--certificate"));
  auto certificate = IMPRINT_TRY(crypto::Certificate::parse(content).context(shown));
  if (!crypto::is_issued_by(certificate, ca)) {
    return fail(Code::invalid_input,
                fmt::format("{}: it was not issued by {}; name the folder of the CA that did",
                            shown, quoted(ca.subject_text())));
  }
  return certificate;
}

/// Records what the ledger does not know yet, as if it had been issued just now.
Result<> record_foreign(const RevokeRequest& request, ledger::Ledger& ledger, Selection& selection,
                        const Clock& clock) {
  std::vector<crypto::Certificate> certificates;
  for (const fs::path& path : request.certificates)
    certificates.push_back(IMPRINT_TRY(foreign_certificate(path, request.ca)));
  std::optional<std::int64_t> run;
  for (const crypto::Certificate& certificate : certificates) {
    auto known = IMPRINT_TRY(ledger.find_serial(certificate.serial()));
    if (!known && request.dry_run) {
      selection.notes().push_back(
          fmt::format("certificate {} would be recorded in the ledger", certificate.serial_hex()));
      continue;
    }
    if (!known) {
      const TimePoint now = clock.now();
      if (!run) {
        run = IMPRINT_TRY(
            ledger.begin_run({.tool_version = kVersion,
                              .command = "ca revoke",
                              .manifest_sha256 = {},
                              .authority_sha256 = request.ca.fingerprint(),
                              .authority_key_sha256 = crypto::sha256(request.ca.public_key_der()),
                              .at = now}));
      }
      const std::string name = certificate.common_name();
      const IssuedCertificate issued(name.empty() ? certificate.serial_hex() : name, certificate);
      const ledger::Issued record = issued.record(now);
      const ledger::Outcome outcome{
          .certificate_row = IMPRINT_TRY(ledger.record_issued(*run, std::span(&record, 1))),
          .state = ledger::State::lost,
          .file = {},
          .digest = {},
          .reason = "issued without this ledger",
          .at = now};
      IMPRINT_TRY(ledger.record_outcomes(std::span(&outcome, 1)));
      known = IMPRINT_TRY(ledger.find_serial(certificate.serial()));
    }
    if (known) selection.add(*known, crypto::RevocationReason::unspecified);
  }
  if (run) IMPRINT_TRY(ledger.end_run(*run, 0, clock.now()));
  return {};
}

Result<> check_request(const RevokeRequest& request) {
  if (request.ids.empty() && request.serials.empty() && request.fingerprints.empty() &&
      request.certificates.empty() && !request.superseded) {
    return fail(Code::invalid_input,
                "say what to revoke: --id, --serial, --fingerprint, --certificate or --superseded");
  }
  if (request.all_of_each && request.ids.empty())
    return fail(Code::invalid_input, "--all says how much of a device; give its --id");
  std::error_code ignored;
  if (request.certificates.empty() && !fs::exists(request.ledger, ignored)) {
    return fail(Code::not_found,
                fmt::format("there is no ledger {}; name it with --ledger (a batch writes it into "
                            "its output folder)",
                            quoted(request.ledger.string())));
  }
  return {};
}

}  // namespace

Result<RevokeReport> revoke(const RevokeRequest& request, const Clock& clock) {
  IMPRINT_TRY(check_request(request));
  auto ledger = IMPRINT_TRY(ledger::Ledger::open(request.ledger));
  Selection selection(request, ledger);
  // Names that are wrong are told before anything is recorded.
  IMPRINT_TRY(selection.select());
  IMPRINT_TRY(record_foreign(request, ledger, selection, clock));

  const TimePoint now = clock.now();
  RevokeReport report;
  report.notes = std::move(selection.notes());
  std::vector<ledger::Revocation> revocations;
  for (const auto& [row, selected] : selection.certificates()) {
    RevokedCertificate certificate = selected;
    if (!certificate.before) certificate.at = std::max(now, certificate.at);
    report.certificates.push_back(std::move(certificate));
  }
  auto entry = report.certificates.begin();
  for (const auto& [row, selected] : selection.certificates()) {
    if (!entry->before)
      revocations.push_back({.certificate_row = row, .reason = entry->reason, .at = entry->at});
    ++entry;
  }
  if (!request.dry_run && !revocations.empty()) IMPRINT_TRY(ledger.revoke(revocations));
  return report;
}

}  // namespace imprint::pipeline
