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

/// As people copy it from other programs: `0x` before it, colons between, either case. Without
/// leading zero octets.
Result<Bytes> parse_hex(std::string_view text, std::string_view shown) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  std::string digits;
  for (const char c : text) {
    if (c == ':' || c == ' ') continue;
    if (hex_value(c) < 0)
      return fail(Code::invalid_input, fmt::format("{}: write it in hexadecimal", shown));
    digits += c;
  }
  if (digits.size() % 2 != 0) digits.insert(0, 1, '0');
  Bytes bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(hex_value(digits[i]) << 4 | hex_value(digits[i + 1])));
  return bytes;
}

Result<Bytes> parse_serial(const std::string& text, std::string_view shown) {
  Bytes serial = IMPRINT_TRY(parse_hex(text, shown));
  while (serial.size() > 1 && serial.front() == std::byte{0})
    serial.erase(serial.begin());
  if (serial.empty() || serial.size() > kMaxSerialBytes) {
    return fail(Code::invalid_input, fmt::format("{}: a serial has 1 to {} hexadecimal digits",
                                                 shown, 2 * kMaxSerialBytes));
  }
  return serial;
}

Result<Bytes> parse_fingerprint(const std::string& text, std::string_view shown) {
  Bytes digest = IMPRINT_TRY(parse_hex(text, shown));
  if (digest.size() != sizeof(crypto::Sha256Digest)) {
    return fail(Code::invalid_input,
                fmt::format("{}: it is the SHA-256 of the certificate, {} hexadecimal digits",
                            shown, 2 * sizeof(crypto::Sha256Digest)));
  }
  return digest;
}

Result<crypto::Certificate> read_issued(const fs::path& path, const crypto::Certificate& ca) {
  const std::string shown = fmt::format("--certificate {}", quoted(path.string()));
  const Bytes content = IMPRINT_TRY(read_file(path, kMaxCertificateBytes).context("--certificate"));
  auto certificate = IMPRINT_TRY(crypto::Certificate::parse(content).context(shown));
  if (certificate.serial().empty() || certificate.serial().size() > kMaxSerialBytes) {
    return fail(Code::unsupported,
                fmt::format("{}: a serial has 1 to {} octets", shown, kMaxSerialBytes));
  }
  if (!crypto::is_issued_by(certificate, ca)) {
    return fail(Code::invalid_input,
                fmt::format("{}: it was not issued by {}; name the folder of the CA that did",
                            shown, quoted(ca.subject_text())));
  }
  return certificate;
}

/// The certificates that a request names, each once, in the ledger's order.
class Selection {
 public:
  Selection(const RevokeRequest& request, const ledger::Ledger& ledger)
      : request_(request),
        ledger_(ledger),
        authority_key_(crypto::sha256(request.ca.public_key_der())) {}

  /// `named`: what the files hold.
  Result<> select(std::span<const crypto::Certificate> named) {
    for (const std::string& id : request_.ids)
      IMPRINT_TRY(add_device(id));
    for (const std::string& text : request_.serials) {
      const std::string shown = fmt::format("--serial {}", quoted(text));
      const Bytes serial = IMPRINT_TRY(parse_serial(text, shown));
      IMPRINT_TRY(add_serial(serial, shown));
    }
    for (const std::string& text : request_.fingerprints) {
      const std::string shown = fmt::format("--fingerprint {}", quoted(text));
      const Bytes digest = IMPRINT_TRY(parse_fingerprint(text, shown));
      const auto row = IMPRINT_TRY(ledger_.find_certificate(digest));
      IMPRINT_TRY(add_found(row, shown));
    }
    for (const crypto::Certificate& certificate : named)
      IMPRINT_TRY(add_certificate(certificate));
    if (request_.superseded) IMPRINT_TRY(add_superseded());
    return {};
  }

  [[nodiscard]] const std::map<std::int64_t, RevokedCertificate>& certificates() const noexcept {
    return certificates_;
  }

  [[nodiscard]] std::vector<std::string>& notes() noexcept { return notes_; }

  /// Certificates that the ledger does not know, each once.
  [[nodiscard]] const std::vector<crypto::Certificate>& elsewhere() const noexcept {
    return elsewhere_;
  }

 private:
  /// `reason` when none was given.
  void add(const ledger::DeviceRow& row, crypto::RevocationReason reason) {
    RevokedCertificate certificate{.device_id = row.device_id,
                                   .serial_hex = to_hex(row.serial),
                                   .state = std::string(ledger::name(row.state)),
                                   .reason = row.revoked_for,
                                   .at = row.revoked_at,
                                   .before = row.revoked};
    if (!row.revoked) certificate.reason = crypto::word(request_.reason.value_or(reason));
    certificates_.emplace(row.certificate_row, std::move(certificate));
  }

  [[nodiscard]] bool is_ours(const ledger::DeviceRow& row) const {
    return row.authority_key_sha256.empty() ||
           std::ranges::equal(row.authority_key_sha256, authority_key_);
  }

  Result<> add_serial(ByteView serial, const std::string& shown) {
    auto row = IMPRINT_TRY(ledger_.find_serial(serial, authority_key_));
    if (!row) row = IMPRINT_TRY(ledger_.find_serial(serial));  // to say whose it is
    return add_found(row, shown);
  }

  /// A CRL names serials: a certificate whose serial is known is that one.
  Result<> add_certificate(const crypto::Certificate& certificate) {
    if (const auto row = IMPRINT_TRY(ledger_.find_serial(certificate.serial(), authority_key_))) {
      add(*row, crypto::RevocationReason::unspecified);
      return {};
    }
    const bool named_before = std::ranges::any_of(
        elsewhere_,
        [&](const crypto::Certificate& other) { return other.serial() == certificate.serial(); });
    if (!named_before) elsewhere_.push_back(certificate);
    return {};
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
      return fail(Code::not_found,
                  fmt::format("{}: the ledger {} knows no such device; 'imprint ledger list' shows "
                              "what it knows, and --ledger names another",
                              shown, quoted(request_.ledger.string())));
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
  const ledger::Ledger& ledger_;
  crypto::Sha256Digest authority_key_;
  std::map<std::int64_t, RevokedCertificate> certificates_;
  std::vector<crypto::Certificate> elsewhere_;
  std::vector<std::string> notes_;
};

/// What is recorded of certificates that the ledger does not know.
class Elsewhere {
 public:
  Elsewhere(const std::vector<crypto::Certificate>& certificates, crypto::RevocationReason reason,
            TimePoint now)
      : word_(crypto::word(reason)),
        now_(now) {
    for (const crypto::Certificate& certificate : certificates) {
      const std::string name = certificate.common_name();
      ids_.push_back("elsewhere/" + (name.empty() ? certificate.serial_hex() : name));
      serials_.push_back(certificate.serial_hex());
      issued_.emplace_back(ids_.back(), certificate);
    }
  }

  /// Valid as long as this object is.
  [[nodiscard]] std::vector<ledger::RevokedElsewhere> records() const {
    std::vector<ledger::RevokedElsewhere> records;
    for (const IssuedCertificate& issued : issued_)
      records.push_back({.certificate = issued.record(now_), .reason = word_, .at = now_});
    return records;
  }

  void report(std::vector<RevokedCertificate>& into) const {
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      into.push_back({.device_id = ids_[i],
                      .serial_hex = serials_[i],
                      .state = std::string(ledger::name(ledger::State::lost)),
                      .reason = std::string(word_),
                      .at = now_,
                      .before = false});
    }
  }

 private:
  std::string_view word_;
  TimePoint now_;
  std::vector<std::string> ids_;
  std::vector<std::string> serials_;
  std::vector<IssuedCertificate> issued_;
};

Result<> record(const RevokeRequest& request, ledger::Ledger& ledger,
                std::span<const ledger::Revocation> revocations,
                std::span<const ledger::RevokedElsewhere> elsewhere, TimePoint now) {
  if (request.dry_run || (revocations.empty() && elsewhere.empty())) return {};
  const std::int64_t run = IMPRINT_TRY(
      ledger.begin_run({.tool_version = kVersion,
                        .command = "ca revoke",
                        .manifest_sha256 = {},
                        .authority_sha256 = request.ca.fingerprint(),
                        .authority_key_sha256 = crypto::sha256(request.ca.public_key_der()),
                        .at = now}));
  if (auto revoked = ledger.revoke(run, revocations, elsewhere); !revoked) {
    Error error = std::move(revoked).error();
    const Result<> told = ledger.end_run(run, 1, now);
    if (!told) error = std::move(error).context(told.error().message());
    return fail(std::move(error));
  }
  return ledger.end_run(run, 0, now);
}

Result<> check_request(const RevokeRequest& request) {
  if (request.ids.empty() && request.serials.empty() && request.fingerprints.empty() &&
      request.certificates.empty() && !request.superseded) {
    return fail(Code::invalid_input,
                "say what to revoke: --id, --serial, --fingerprint, --certificate or --superseded");
  }
  if (request.all_of_each && request.ids.empty())
    return fail(Code::invalid_input, "--all says how much of a device; give its --id");
  return {};
}

/// Made only for certificates from elsewhere; a name that is wrong should not make an empty one.
Result<ledger::Ledger> open_ledger(const RevokeRequest& request) {
  std::error_code ignored;
  const bool names_known = !request.ids.empty() || !request.serials.empty() ||
                           !request.fingerprints.empty() || request.superseded;
  if (!fs::exists(request.ledger, ignored) && (names_known || request.dry_run)) {
    return fail(Code::not_found,
                fmt::format("there is no ledger {}; name it with --ledger (a batch writes it into "
                            "its output folder)",
                            quoted(request.ledger.string())));
  }
  return request.dry_run ? ledger::Ledger::open_read_only(request.ledger)
                         : ledger::Ledger::open(request.ledger);
}

}  // namespace

Result<RevokeReport> revoke(const RevokeRequest& request, const Clock& clock) {
  IMPRINT_TRY(check_request(request));
  std::vector<crypto::Certificate> named;
  for (const fs::path& path : request.certificates)
    named.push_back(IMPRINT_TRY(read_issued(path, request.ca)));
  auto ledger = IMPRINT_TRY(open_ledger(request));
  Selection selection(request, ledger);
  // Whatever is wrong with a name is told before anything is recorded.
  IMPRINT_TRY(selection.select(named));

  const TimePoint now = clock.now();
  RevokeReport report;
  report.notes = std::move(selection.notes());
  for (const auto& [row, selected] : selection.certificates()) {
    report.certificates.push_back(selected);
    if (!selected.before) report.certificates.back().at = now;
  }
  std::vector<ledger::Revocation> revocations;
  for (const auto& [row, selected] : selection.certificates()) {
    if (selected.before) continue;
    revocations.push_back({.certificate_row = row, .reason = selected.reason, .at = now});
  }
  const Elsewhere elsewhere(selection.elsewhere(),
                            request.reason.value_or(crypto::RevocationReason::unspecified), now);
  elsewhere.report(report.certificates);
  IMPRINT_TRY(record(request, ledger, revocations, elsewhere.records(), now));
  return report;
}

}  // namespace imprint::pipeline
