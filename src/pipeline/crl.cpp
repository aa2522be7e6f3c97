#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "imprint/authority/authority.hpp"
#include "imprint/authority/describe.hpp"
#include "imprint/base/text.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/pipeline/revocation.hpp"
#include "revocation_list.hpp"

namespace imprint::pipeline {

namespace {

using authority::Authority;

struct FormatRow {
  CrlFormat format;
  std::string_view word;
};

constexpr std::array<FormatRow, 3> kFormats = {
    {{CrlFormat::pem, "pem"}, {CrlFormat::der, "der"}, {CrlFormat::blacklist, "blacklist"}}};

/// Small writes put together.
class Buffer {
 public:
  explicit Buffer(const crypto::ByteSink& sink) : sink_(sink) { bytes_.reserve(kSize); }

  Result<> put(ByteView more) {
    if (bytes_.size() + more.size() > kSize) IMPRINT_TRY(flush());
    if (more.size() > kSize) return sink_(more);
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return {};
  }

  Result<> flush() {
    if (!bytes_.empty()) IMPRINT_TRY(sink_(bytes_));
    bytes_.clear();
    return {};
  }

 private:
  static constexpr std::size_t kSize = std::size_t{64} << 10;

  const crypto::ByteSink& sink_;
  Bytes bytes_;
};

/// Never made: an empty list would let everybody in again whose certificate another ledger has
/// revoked.
Result<> require_ledger(const CrlRequest& request) {
  if (IMPRINT_TRY(path_exists(request.ledger))) return {};
  return fail(Code::not_found,
              fmt::format("there is no ledger {}; name it with --ledger (a batch writes it into "
                          "its output folder)",
                          quoted(request.ledger.string())));
}

Result<CrlReport> write_blacklist(const CrlRequest& request, const Clock& clock,
                                  const crypto::ByteSink& sink) {
  IMPRINT_TRY(require_ledger(request));
  const auto ledger = IMPRINT_TRY(ledger::Ledger::open_read_only(request.ledger));
  const auto ca = IMPRINT_TRY(authority::read_ca_certificate(request.authority));
  const auto revoked = IMPRINT_TRY(ledger.revoked(crypto::sha256(ca.public_key_der())));
  CrlReport report;
  report.this_update = clock.now();
  report.next_update = report.this_update;
  Buffer buffer(sink);
  IMPRINT_TRY(revoked.for_each([&](const ledger::RevokedEntry& entry) {
    ++report.entries;
    return buffer.put(bytes_of(to_hex(entry.serial) + "\n"));
  }));
  IMPRINT_TRY(buffer.flush());
  return report;
}

/// The ledger's entries as a CRL has them. A revocation that was recorded while the clock was wrong
/// is dated now rather than left out: RFC 5280 5.3.2 has no dates that lie ahead.
crypto::CrlEntries entries_of(const ledger::RevokedList& revoked, TimePoint now) {
  return [&revoked, now](const std::function<Result<>(const crypto::CrlEntry&)>& take) {
    return revoked.for_each([&take, now](const ledger::RevokedEntry& entry) -> Result<> {
      const auto reason = IMPRINT_TRY(crypto::parse_revocation_reason(entry.reason));
      return take(
          {.serial = entry.serial, .revoked_at = std::min(entry.at, now), .reason = reason});
    });
  };
}

std::string plural(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// Counts, and says what is odd.
Result<> look_at(const ledger::RevokedList& revoked, CrlReport& report) {
  std::uint64_t ahead = 0;
  IMPRINT_TRY(revoked.for_each([&](const ledger::RevokedEntry& entry) -> Result<> {
    ++report.entries;
    if (entry.at > report.this_update) ++ahead;
    return {};
  }));
  if (ahead > 0) {
    report.warnings.push_back(fmt::format(
        "{} recorded with a date after the present one ({}), which the CRL says instead; was a "
        "clock wrong?",
        plural(ahead, "revocation") + (ahead == 1 ? " is" : " are"),
        to_rfc3339(report.this_update)));
  }
  return {};
}

/// What the CRL that is replaced, and those made before, say of this ledger and this clock.
void compare(const std::optional<ReplacedCrl>& replaced,
             const std::optional<ledger::LatestCrl>& latest, CrlReport& report) {
  if (latest && latest->this_update > report.this_update) {
    report.warnings.push_back(
        fmt::format("the CRL before was made on {}, after the present time {}; check the clock",
                    to_rfc3339(latest->this_update), to_rfc3339(report.this_update)));
  }
  if (!replaced) return;
  if (replaced->number > (latest ? latest->number : 0)) {
    report.warnings.push_back(fmt::format(
        "the CRL that is replaced has number {}, above all that this ledger knows of: the ledger "
        "may be an old copy that lacks revocations, or another one than before",
        replaced->number));
  }
  if (replaced->entries > report.entries) {
    report.warnings.push_back(fmt::format(
        "the CRL that is replaced lists {}, this one {}: what is missing here is accepted again; "
        "look for the ledger that has it",
        plural(replaced->entries, "certificate"), report.entries));
  }
}

Result<TimePoint> next_update(const CrlRequest& request, TimePoint now) {
  if (request.days == 0) {
    return fail(Code::invalid_input,
                "--days 0: a CRL that is out of date when it is made is refused by verifiers; give "
                "at least 1");
  }
  const TimePoint next = now + std::chrono::days(request.days);
  if (next > crypto::kNoExpiry) {
    return fail(Code::invalid_input,
                fmt::format("--days {} leads past the year 9999", request.days));
  }
  return next;
}

Result<> check_may_sign(const Authority& authority, const CrlRequest& request) {
  if (authority.certificate().may_sign_crls()) return {};
  return fail(Code::invalid_input,
              fmt::format("CA certificate {}: its keyUsage lacks cRLSign, so verifiers would "
                          "refuse its CRL; renew the CA with it (imprint ca init does), or use "
                          "--format blacklist",
                          quoted(request.authority.certificate.string())));
}

/// Signs and encodes what was decided.
Result<> encode(const CrlRequest& request, const Authority& authority, const CrlReport& report,
                const ledger::RevokedList& revoked, const crypto::ByteSink& sink) {
  const crypto::CrlSpec spec{.number = report.number,
                             .this_update = report.this_update,
                             .next_update = report.next_update};
  const crypto::CrlEntries entries = entries_of(revoked, report.this_update);
  const auto signer = IMPRINT_TRY(authority.signer().clone());
  const crypto::Certificate& ca = authority.certificate();
  Buffer buffer(sink);
  const auto put = [&buffer](ByteView bytes) { return buffer.put(bytes); };
  if (request.format == CrlFormat::der) {
    IMPRINT_TRY(crypto::write_crl(spec, ca, *signer, entries, put));
    return buffer.flush();
  }
  crypto::PemStream pem("X509 CRL", put);
  IMPRINT_TRY(crypto::write_crl(spec, ca, *signer, entries,
                                [&pem](ByteView bytes) { return pem.write(bytes); }));
  IMPRINT_TRY(pem.finish());
  return buffer.flush();
}

Result<CrlReport> write_crl(const CrlRequest& request, const std::optional<ReplacedCrl>& replaced,
                            const Clock& clock, const crypto::ByteSink& sink) {
  CrlReport report;
  report.this_update = clock.now();
  report.next_update = IMPRINT_TRY(next_update(request, report.this_update));
  IMPRINT_TRY(require_ledger(request));
  std::optional<Authority> own;
  if (request.opened == nullptr)
    own = IMPRINT_TRY(Authority::open(request.authority, report.this_update));
  const Authority& authority = own ? *own : *request.opened;
  IMPRINT_TRY(check_may_sign(authority, request));
  auto ledger = IMPRINT_TRY(ledger::Ledger::open(request.ledger));
  const crypto::Certificate& ca = authority.certificate();
  report.warnings.assign(authority.warnings().begin(), authority.warnings().end());
  if (report.next_update > ca.not_after()) {
    report.warnings.push_back(fmt::format("the next update is due after the CA has ended ({})",
                                          to_rfc3339(ca.not_after())));
  }
  const crypto::Sha256Digest key = crypto::sha256(ca.public_key_der());
  const auto revoked = IMPRINT_TRY(ledger.revoked(key));
  IMPRINT_TRY(look_at(revoked, report));
  compare(replaced, IMPRINT_TRY(ledger.latest_crl(key)), report);
  // The number is used up from here on, whatever becomes of the CRL.
  report.number = IMPRINT_TRY(ledger.begin_crl({.authority_key_sha256 = key,
                                                .this_update = report.this_update,
                                                .next_update = report.next_update,
                                                .entries = report.entries,
                                                .above = replaced ? replaced->number : 0}));
  IMPRINT_TRY(encode(request, authority, report, revoked, sink));
  return report;
}

}  // namespace

Result<CrlFormat> parse_crl_format(std::string_view word) {
  for (const FormatRow& row : kFormats) {
    if (row.word == word) return row.format;
  }
  return fail(Code::invalid_input,
              fmt::format("{} is no format; known are pem, der, blacklist", quoted(word)));
}

Result<CrlReport> write_list(const CrlRequest& request, const std::optional<ReplacedCrl>& replaced,
                             const Clock& clock, const crypto::ByteSink& output) {
  return request.format == CrlFormat::blacklist ? write_blacklist(request, clock, output)
                                                : write_crl(request, replaced, clock, output);
}

Result<CrlReport> write_revocations(const CrlRequest& request, const Clock& clock,
                                    const crypto::ByteSink& output) {
  return write_list(request, std::nullopt, clock, output);
}

}  // namespace imprint::pipeline
