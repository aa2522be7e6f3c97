// The server's certificates. A self-signed one says extendedKeyUsage serverAuth and the names, and
// has neither basicConstraints nor keyUsage: so it is a trust anchor for all who verify with it.
// Measured with 9 combinations: GnuTLS 3.7 refuses an anchor that says "no CA", or has a keyUsage
// without keyCertSign, and OpenSSL 3.0 takes all but one. OpenSSL 1.1.1 does not take one with such
// a keyUsage for self-signed (crypto/x509v3/v3_purp.c). And with cA TRUE a stolen server key could
// sign for every name that devices know.

#include "identity.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/crypto/issue.hpp"

namespace imprint::server {

namespace {

constexpr std::chrono::hours kDay{24};

Result<crypto::ProfileSpec> self_signed_profile(const ServerNames& names, std::uint32_t days,
                                                TimePoint now) {
  crypto::ProfileSpec profile;
  profile.key = crypto::KeyKind::ec_p256;
  profile.subject = {{crypto::NameField::common_name, names.common_name}};
  for (const std::string& text : names.alt_names) {
    const crypto::AltNameText name = IMPRINT_TRY(crypto::split_alt_name(text));
    profile.alt_names.push_back({name.kind, std::string(name.value)});
  }
  profile.not_before = now;
  profile.not_after = now + kDay * std::int64_t{days};
  profile.key_usage.emplace();
  profile.extended_key_usage = {"serverAuth"};
  profile.basic_constraints = false;
  return profile;
}

/// The highest of those that are known.
const crypto::Certificate& top_of(const std::vector<crypto::Certificate>& chain) {
  const auto root = std::ranges::find_if(
      chain, [](const crypto::Certificate& ca) { return ca.is_self_signed(); });
  return root != chain.end() ? *root : chain.back();
}

}  // namespace

Result<> check_days(std::uint32_t days, TimePoint now) {
  if (days == 0) {
    return fail(Code::invalid_input,
                "--days: a certificate for 0 days is never valid; give at least 1");
  }
  if (now + kDay * std::int64_t{days} <= crypto::kNoExpiry) return {};
  return fail(
      Code::invalid_input,
      fmt::format("--days: {} days lead past the year 9999, the last a certificate can name",
                  days));
}

Result<IdentityMaker> IdentityMaker::open(Options options, const Clock& clock) {
  IMPRINT_TRY(check_days(options.days, clock.now()));
  IdentityMaker maker(std::move(options), clock);
  if (maker.options_.ca) {
    maker.authority_ =
        IMPRINT_TRY(authority::Authority::open(maker.options_.ca->authority, clock.now()));
  }
  return maker;
}

Result<NewIdentity> IdentityMaker::make(const ServerNames& names) const {
  return authority_ ? signed_by_ca(names) : self_signed(names);
}

Result<NewIdentity> IdentityMaker::self_signed(const ServerNames& names) const {
  const auto profile = IMPRINT_TRY(self_signed_profile(names, options_.days, clock_.now()));
  const auto key = IMPRINT_TRY(crypto::PrivateKey::generate(profile.key));
  auto certificate = IMPRINT_TRY(crypto::make_self_signed_certificate(profile, key));
  IMPRINT_TRY(crypto::verify_server_certificate(certificate, {}, {&certificate, 1},
                                                certificate.not_before())
                  .context("checking the new certificate"));
  auto key_pem = IMPRINT_TRY(key.to_pem());
  return NewIdentity{.certificate = certificate,
                     .key_pem = std::move(key_pem),
                     .certificate_pem = certificate.to_pem(),
                     .trust = {certificate},
                     .notes = {},
                     .warnings = {},
                     .issued = std::nullopt};
}

Result<NewIdentity> IdentityMaker::signed_by_ca(const ServerNames& names) const {
  auto issued = IMPRINT_TRY(pipeline::issue_server_identity(*authority_,
                                                            {.common_name = names.common_name,
                                                             .alt_names = names.alt_names,
                                                             .days = options_.days,
                                                             .ledger = options_.ca->ledger,
                                                             .command = options_.command},
                                                            clock_));
  auto key_pem = issued.key.to_pem();
  if (!key_pem) return fail(issued.failed(std::move(key_pem).error(), clock_));
  const crypto::Certificate top = top_of(issued.above);
  NewIdentity identity{.certificate = issued.certificate,
                       .key_pem = std::move(*key_pem),
                       .certificate_pem = issued.certificate.to_pem(),
                       .trust = {top},
                       .notes = issued.notes,
                       .warnings = issued.warnings,
                       .issued = std::nullopt};
  for (const crypto::Certificate& ca : issued.above) {
    if (!ca.is_self_signed()) identity.certificate_pem += ca.to_pem();
  }
  if (!top.is_self_signed()) {
    identity.warnings.push_back(
        fmt::format("the root above '{}' is not known here, and most clients want it: append it to "
                    "server.crt",
                    top.subject_text()));
  }
  identity.issued = std::move(issued);
  return identity;
}

Result<> record_placed(std::span<NewIdentity> identities, std::span<const fs::path> files,
                       const Clock& clock) {
  for (std::size_t i = 0; i < identities.size(); ++i) {
    if (identities[i].issued) IMPRINT_TRY(identities[i].issued->placed(files[i], clock));
  }
  return {};
}

Error record_failed(std::span<NewIdentity> identities, Error why, const Clock& clock) {
  for (NewIdentity& identity : identities) {
    if (identity.issued) why = identity.issued->failed(std::move(why), clock);
  }
  return why;
}

std::string trust_pem(std::span<const crypto::Certificate> certificates) {
  std::string pem;
  for (const crypto::Certificate& certificate : certificates) {
    const std::string one = certificate.to_pem();
    if (pem.find(one) == std::string::npos) pem += one;
  }
  return pem;
}

}  // namespace imprint::server
