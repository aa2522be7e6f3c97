#include "issue_order.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/new_folder.hpp"
#include "imprint/base/text.hpp"
#include "issue_record.hpp"

namespace imprint::pipeline {

namespace {

using authority::Authority;
using ledger::Purpose;

constexpr std::uint64_t kMaxKeyFileBytes = std::uint64_t{1} << 20;

/// What is certified: a new key pair, or a public key from a file.
struct Subject {
  std::optional<crypto::PrivateKey> key;
  crypto::PublicKey public_key;
};

Result<Subject> subject_of(const IssueTarget& target, crypto::KeyKind kind) {
  if (!target.public_key) {
    auto key = IMPRINT_TRY(crypto::PrivateKey::generate(kind));
    auto public_key = IMPRINT_TRY(crypto::PublicKey::of(key));
    return Subject{std::move(key), std::move(public_key)};
  }
  const Bytes content = IMPRINT_TRY(read_file(*target.public_key, kMaxKeyFileBytes));
  auto public_key =
      IMPRINT_TRY(crypto::PublicKey::parse(content).context(quoted(target.public_key->string())));
  return Subject{std::nullopt, std::move(public_key)};
}

/// Whoever holds the private half of a given key can issue certificates, if it is a CA's.
Result<> refuse_key_of_ca(const IssueTarget& target, const crypto::PublicKey& key,
                          const Authority& authority) {
  if (!target.public_key) return {};
  const Bytes wanted = IMPRINT_TRY(key.der());
  const auto has_it = [&wanted](const crypto::Certificate& ca) {
    return ca.public_key_der() == wanted;
  };
  if (!has_it(authority.certificate()) && std::ranges::none_of(authority.chain(), has_it))
    return {};
  return fail(
      Code::invalid_input,
      fmt::format("{}: it is the key of the CA itself, or of one above it; give that of the "
                  "device or server",
                  quoted(target.public_key->string())));
}

Result<> refuse_existing(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(path, ignored))) return {};
  return fail(Code::exists, fmt::format("{} exists and is not overwritten; move it away, or choose "
                                        "another folder with --output",
                                        quoted(path.string())));
}

/// The CAs between the certificate and its root, the issuer first: what a server has to send along.
std::vector<crypto::Certificate> intermediates(const Authority& authority) {
  std::vector<crypto::Certificate> between;
  const auto add = [&between](const crypto::Certificate& ca) {
    if (!ca.is_self_signed()) between.push_back(ca);
  };
  add(authority.certificate());
  std::ranges::for_each(authority.chain(), add);
  return between;
}

Result<> verify(const IssueOrder& order, const crypto::Certificate& certificate, TimePoint now) {
  const auto judge = order.purpose == Purpose::device ? crypto::verify_client_certificate
                                                      : crypto::verify_server_certificate;
  const TimePoint at = std::clamp(now, certificate.not_before(), certificate.not_after());
  return judge(certificate, {}, {&order.authority.certificate(), 1}, at,
               order.authority.strictness());
}

Result<> write(const IssueOrder& order, const Subject& subject, const IssueReport& report) {
  NewFolder folder(order.target.directory);
  IMPRINT_TRY(folder.open(0755));
  if (subject.key) {
    const crypto::SecretBytes key = IMPRINT_TRY(subject.key->to_pem());
    IMPRINT_TRY(folder.write(*report.key, key.view(), 0600));
  }
  std::string pem = report.parsed.to_pem();
  // A device sends its own certificate alone, whatever its file holds (Mender clients from 4.0).
  if (order.purpose == Purpose::server) {
    for (const crypto::Certificate& ca : intermediates(order.authority))
      pem += ca.to_pem();
  }
  IMPRINT_TRY(folder.write(report.certificate, bytes_of(pem), 0644));
  return folder.keep();
}

}  // namespace

Result<crypto::Certificate> certify(const IssueOrder& order, const crypto::PublicKey& key,
                                    TimePoint now) {
  const auto signer = IMPRINT_TRY(order.authority.signer().clone());
  const std::vector<std::string_view> slots(order.slots.begin(), order.slots.end());
  auto certificate = IMPRINT_TRY(
      crypto::issue_certificate(order.profile, slots, key, order.authority.certificate(), *signer));
  IMPRINT_TRY(verify(order, certificate, now).context("checking the new certificate"));
  return certificate;
}

std::vector<std::string> all_warnings(const IssueOrder& order) {
  std::vector<std::string> warnings(order.authority.warnings().begin(),
                                    order.authority.warnings().end());
  warnings.insert(warnings.end(), order.warnings.begin(), order.warnings.end());
  return warnings;
}

Result<IssueReport> issue(IssueOrder order, std::string_view command, const Clock& clock) {
  const fs::path base = order.target.directory / order.stem;
  const fs::path certificate_path = base.string() + ".crt";
  const fs::path key_path = base.string() + ".key";
  IMPRINT_TRY(refuse_existing(certificate_path));
  if (!order.target.public_key) IMPRINT_TRY(refuse_existing(key_path));

  const Subject subject = IMPRINT_TRY(subject_of(order.target, order.profile.key));
  IMPRINT_TRY(refuse_key_of_ca(order.target, subject.public_key, order.authority));
  order.profile.key = subject.public_key.kind();
  auto certificate = IMPRINT_TRY(certify(order, subject.public_key, clock.now()));
  IssueReport report{.certificate = certificate_path,
                     .key = subject.key ? std::optional(key_path) : std::nullopt,
                     .parsed = std::move(certificate),
                     .notes = std::move(order.notes),
                     .warnings = all_warnings(order)};

  // Beyond this point the certificate is known, whatever happens to us.
  IssueRecord record =
      IMPRINT_TRY(IssueRecord::begin({.ledger = order.target.ledger,
                                      .command = command,
                                      .id = order.id,
                                      .purpose = order.purpose,
                                      .identity_data = order.identity_data},
                                     report.parsed, order.authority.certificate(), clock));
  if (Result<> written = write(order, subject, report); !written)
    return fail(record.failed(std::move(written).error(), clock));
  IMPRINT_TRY(record.placed(certificate_path, clock));
  return report;
}

}  // namespace imprint::pipeline
