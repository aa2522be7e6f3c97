#include <array>

#include <fmt/format.h>

#include "imprint/authority/authority.hpp"
#include "imprint/authority/describe.hpp"
#include "imprint/base/text.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/pipeline/revocation.hpp"

namespace imprint::pipeline {

namespace {

using authority::Authority;

/// Every CRL but those of very large fleets is read back whole: OpenSSL takes ten times its size.
constexpr std::uint64_t kMaxReadBackBytes = std::uint64_t{1} << 20;

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

Result<ledger::Ledger> open_ledger(const CrlRequest& request) {
  std::error_code ignored;
  if (!fs::exists(request.ledger, ignored)) {
    return fail(Code::not_found,
                fmt::format("there is no ledger {}; name it with --ledger (a batch writes it into "
                            "its output folder)",
                            quoted(request.ledger.string())));
  }
  return ledger::Ledger::open(request.ledger);
}

Result<CrlReport> write_blacklist(const CrlRequest& request, const Clock& clock,
                                  const crypto::ByteSink& sink) {
  const auto ledger = IMPRINT_TRY(open_ledger(request));
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

/// The ledger's entries as a CRL has them.
crypto::CrlEntries entries_of(const ledger::RevokedList& revoked) {
  return [&revoked](const std::function<Result<>(const crypto::CrlEntry&)>& take) {
    return revoked.for_each([&take](const ledger::RevokedEntry& entry) -> Result<> {
      const auto reason = IMPRINT_TRY(crypto::parse_revocation_reason(entry.reason));
      return take({.serial = entry.serial, .revoked_at = entry.at, .reason = reason});
    });
  };
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

Result<CrlReport> write_crl(const CrlRequest& request, const Clock& clock,
                            const crypto::ByteSink& sink) {
  CrlReport report;
  report.this_update = clock.now();
  report.next_update = IMPRINT_TRY(next_update(request, report.this_update));
  auto ledger = IMPRINT_TRY(open_ledger(request));
  const Authority authority = IMPRINT_TRY(Authority::open(request.authority, report.this_update));
  const crypto::Certificate& ca = authority.certificate();
  if (!ca.may_sign_crls()) {
    return fail(Code::invalid_input,
                fmt::format("CA certificate {}: its keyUsage lacks cRLSign, so verifiers would "
                            "refuse its CRL; renew the CA with it (imprint ca init does), or use "
                            "--format blacklist",
                            quoted(request.authority.certificate.string())));
  }
  report.warnings.assign(authority.warnings().begin(), authority.warnings().end());
  if (report.next_update > ca.not_after()) {
    report.warnings.push_back(fmt::format("the next update is due after the CA has ended ({})",
                                          to_rfc3339(ca.not_after())));
  }
  const crypto::Sha256Digest key = crypto::sha256(ca.public_key_der());
  const auto revoked = IMPRINT_TRY(ledger.revoked(key));
  IMPRINT_TRY(revoked.for_each([&report](const ledger::RevokedEntry&) -> Result<> {
    ++report.entries;
    return {};
  }));
  report.number = IMPRINT_TRY(ledger.begin_crl({.authority_key_sha256 = key,
                                                .this_update = report.this_update,
                                                .next_update = report.next_update,
                                                .entries = report.entries}));
  const crypto::CrlSpec spec{.number = report.number,
                             .this_update = report.this_update,
                             .next_update = report.next_update};
  const auto signer = IMPRINT_TRY(authority.signer().clone());
  Buffer buffer(sink);
  const auto put = [&buffer](ByteView bytes) { return buffer.put(bytes); };
  if (request.format == CrlFormat::der) {
    IMPRINT_TRY(crypto::write_crl(spec, ca, *signer, entries_of(revoked), put));
  } else {
    crypto::PemStream pem("X509 CRL", put);
    IMPRINT_TRY(crypto::write_crl(spec, ca, *signer, entries_of(revoked),
                                  [&pem](ByteView bytes) { return pem.write(bytes); }));
    IMPRINT_TRY(pem.finish());
  }
  IMPRINT_TRY(buffer.flush());
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

Result<CrlReport> write_revocations(const CrlRequest& request, const Clock& clock,
                                    const crypto::ByteSink& output) {
  return request.format == CrlFormat::blacklist ? write_blacklist(request, clock, output)
                                                : write_crl(request, clock, output);
}

Result<CrlReport> write_revocations(const CrlRequest& request, const Clock& clock,
                                    const fs::path& output) {
  NewFile file = IMPRINT_TRY(NewFile::beside(output, 0644));
  std::uint64_t written = 0;
  const crypto::ByteSink sink = [&](ByteView bytes) -> Result<> {
    IMPRINT_TRY(file.file().write_all(written, bytes));
    written += bytes.size();
    return {};
  };
  CrlReport report = IMPRINT_TRY(write_revocations(request, clock, sink));
  if (request.format != CrlFormat::blacklist && written <= kMaxReadBackBytes) {
    Bytes content(static_cast<std::size_t>(written));
    IMPRINT_TRY(file.file().read_exact(0, content));
    const auto ca = IMPRINT_TRY(authority::read_ca_certificate(request.authority));
    IMPRINT_TRY(crypto::check_crl(content, ca));
  }
  IMPRINT_TRY(file.publish());
  IMPRINT_TRY(sync_directory(output.has_parent_path() ? output.parent_path() : fs::path(".")));
  return report;
}

}  // namespace imprint::pipeline
