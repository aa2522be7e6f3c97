#include "trust.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/authority/ca_folder.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/crl_reader.hpp"

namespace imprint::verify {

namespace {

using crypto::Certificate;

Result<> add_authorities(const fs::path& place, std::vector<Certificate>& into) {
  const auto add = [&into](const fs::path& file) -> Result<> {
    const Bytes pem = IMPRINT_TRY(read_file(file));
    auto certificates = IMPRINT_TRY(Certificate::parse_all(pem).context(quoted(file.string())));
    std::ranges::move(certificates, std::back_inserter(into));
    return {};
  };
  std::error_code error;
  if (!fs::is_directory(place, error)) return add(place);
  const authority::CaPaths paths = IMPRINT_TRY(authority::find_ca_folder(place));
  IMPRINT_TRY(add(paths.certificate));
  return paths.chain == paths.certificate ? Result<>() : add(paths.chain);
}

std::string binary(ByteView bytes) {
  return std::string(text_of(bytes));
}

/// nginx wants the lists of several CAs in one file; here each has to be told apart.
Result<> require_one_list(const fs::path& path) {
  constexpr std::string_view kBegin = "-----BEGIN X509 CRL-----";
  const Bytes content = IMPRINT_TRY(read_file(path));
  const std::string_view text = text_of(content);
  const std::size_t first = text.find(kBegin);
  if (first == std::string_view::npos || text.find(kBegin, first + 1) == std::string_view::npos)
    return {};
  return fail(Code::invalid_input,
              fmt::format("{} holds more than one CRL: give each in a file of its own",
                          quoted(path.string())));
}

/// The CRL as one of the CAs has signed it. Two CAs may have the same name, an old and a new one.
Result<RevokedSerials> read_crl(const fs::path& path, std::span<const Certificate> authorities) {
  IMPRINT_TRY(require_one_list(path));
  const File file = IMPRINT_TRY(File::open_read(path));
  for (const Certificate& authority : authorities) {
    RevokedSerials revoked;
    const auto facts = IMPRINT_TRY(crypto::read_crl(file, authority, [&revoked](ByteView serial) {
      revoked.serials.push_back(binary(serial));
    }));
    if (!facts.is_signed || facts.issuer != crypto::subject_der(authority)) continue;
    std::ranges::sort(revoked.serials);
    revoked.file = path;
    revoked.issuer = facts.issuer;
    revoked.this_update = facts.this_update;
    revoked.next_update = facts.next_update;
    return revoked;
  }
  return fail(Code::invalid_input,
              fmt::format("{} is signed by none of the CAs given: name its CA with --ca",
                          quoted(path.string())));
}

void check_validity(const Certificate& certificate, TimePoint at, Findings& findings) {
  const std::string validity = fmt::format("{} to {}", to_rfc3339(certificate.not_before()),
                                           to_rfc3339(certificate.not_after()));
  if (at < certificate.not_before() || at > certificate.not_after()) {
    findings.failed(check::kValidity, fmt::format("{}, not at {}", validity, to_rfc3339(at)));
  } else {
    findings.passed(check::kValidity, validity);
  }
}

void check_purpose(const Certificate& certificate, Findings& findings) {
  if (certificate.is_ca()) {
    findings.failed(check::kPurpose, "it is a CA's certificate, which no device should have");
  } else if (!certificate.may_be_tls_client()) {
    findings.failed(check::kPurpose,
                    "extendedKeyUsage or keyUsage do not allow it to authenticate a TLS client");
  } else {
    findings.passed(check::kPurpose, "TLS client");
  }
}

void check_chain(const Certificate& certificate, const Trust& trust, TimePoint at,
                 Findings& findings) {
  if (trust.authorities.empty())
    return findings.skipped(check::kChain, "say whom to trust with --ca");
  if (findings.has_failed(check::kPurpose))
    return findings.skipped(check::kChain, "verifiers look at the purpose first");
  // OpenSSL counts the last second as over.
  const TimePoint last =
      std::max(certificate.not_before(), certificate.not_after() - std::chrono::seconds(1));
  const TimePoint when = std::clamp(at, certificate.not_before(), last);
  const auto verify = [&](crypto::Strictness strictness) {
    return crypto::verify_client_certificate(certificate, {}, trust.authorities, when, strictness);
  };
  const std::string issuer = "issued by " + certificate.issuer_text();
  const auto strict = verify(crypto::Strictness::strict);
  if (strict) return findings.passed(check::kChain, issuer);
  // An old CA (version 1, say, or without a key identifier) serves; whoever verifies is told.
  const auto plain = verify(crypto::Strictness::plain);
  if (!plain)
    return findings.failed(check::kChain, fmt::format("{}: {}", issuer, plain.error().message()));
  findings.passed(check::kChain, fmt::format("{} (not by the strict rules: {})", issuer,
                                             strict.error().message()));
}

const Certificate* issuer_of(const Certificate& certificate, const Trust& trust) {
  const auto issuer = std::ranges::find_if(trust.authorities, [&](const Certificate& authority) {
    return crypto::is_issued_by(certificate, authority);
  });
  return issuer == trust.authorities.end() ? nullptr : &*issuer;
}

/// Asks all CRLs of a certificate's issuer; none when there is no such CRL, else why it must not be
/// accepted, or nothing. Of several the newest has to be in force, which is judged by today when
/// `at` is still to come: nobody has the CRLs of then.
std::optional<std::string> ask_crls(const Certificate& certificate, const Certificate& issuer,
                                    const Trust& trust, TimePoint at) {
  const Bytes name = crypto::subject_der(issuer);
  const RevokedSerials* newest = nullptr;
  for (const RevokedSerials& crl : trust.crls) {
    if (crl.issuer != name) continue;
    if (crl.holds(certificate.serial())) {
      return fmt::format("{} (serial {}) is in {}", certificate.subject_text(),
                         certificate.serial_hex(), quoted(crl.file.string()));
    }
    if (newest == nullptr || crl.this_update > newest->this_update) newest = &crl;
  }
  if (newest == nullptr) return std::nullopt;
  const TimePoint when = std::min(at, system_clock().now());
  if (newest->next_update && *newest->next_update < when) {
    return fmt::format("{} ended at {}: get the next one", quoted(newest->file.string()),
                       to_rfc3339(*newest->next_update));
  }
  return std::string();
}

/// The certificate and the CAs above it, as far as they are known.
void check_crls(const Certificate& certificate, const Trust& trust, TimePoint at,
                Findings& findings) {
  if (trust.crls.empty())
    return findings.skipped(check::kRevocation, "give the CA's CRL with --crl");
  const Certificate* asked = &certificate;
  bool is_known = false;
  for (std::size_t depth = 0; depth <= trust.authorities.size(); ++depth) {
    const Certificate* issuer = issuer_of(*asked, trust);
    if (issuer == nullptr || asked->is_self_signed()) break;
    const auto answer = ask_crls(*asked, *issuer, trust, at);
    if (answer && !answer->empty()) return findings.failed(check::kRevocation, *answer);
    if (depth == 0) is_known = answer.has_value();
    asked = issuer;
  }
  if (!is_known) return findings.skipped(check::kRevocation, "there is no CRL of its issuer");
  findings.passed(check::kRevocation, "not in the CRL");
}

}  // namespace

bool RevokedSerials::holds(ByteView serial) const {
  return std::ranges::binary_search(serials, binary(serial));
}

Result<Trust> load_trust(std::span<const fs::path> authorities, std::span<const fs::path> crls) {
  Trust trust;
  for (const fs::path& place : authorities)
    IMPRINT_TRY(add_authorities(place, trust.authorities).context("--ca"));
  if (!crls.empty() && trust.authorities.empty())
    return fail(Code::invalid_input, "--crl: name the CA that signed it with --ca");
  for (const fs::path& path : crls) {
    auto crl = IMPRINT_TRY(read_crl(path, trust.authorities).context("--crl"));
    trust.crls.push_back(std::move(crl));
  }
  return trust;
}

void check_trust(const Certificate& certificate, const Trust& trust, TimePoint at,
                 Findings& findings) {
  check_validity(certificate, at, findings);
  check_purpose(certificate, findings);
  check_chain(certificate, trust, at, findings);
  check_crls(certificate, trust, at, findings);
}

}  // namespace imprint::verify
