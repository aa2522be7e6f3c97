#include "imprint/authority/ca_init.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "ca_checks.hpp"
#include "imprint/base/new_folder.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/issue.hpp"
#include "imprint/crypto/signer.hpp"
#include "probe.hpp"

namespace imprint::authority {

namespace {

constexpr std::string_view kDefaultName = "Imprint Device CA";
constexpr std::string_view kDefaultNameBelow = "Imprint Issuing CA";

Result<> refuse_existing(const fs::path& directory) {
  for (const char* name : {kKeyFile, kCertificateFile, kChainFile, kGatewayFile, kAuthorityFile}) {
    const fs::path path = directory / name;
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(path, ignored))) {
      return fail(Code::exists, fmt::format("{} exists; a CA is never overwritten: choose another "
                                            "folder, or move this one away",
                                            quoted(path.string())));
    }
  }
  return {};
}

/// Ten-year devices fit into it for ten years.
constexpr std::uint32_t kDefaultDays = 7300;

Result<TimePoint> end_of(const CaInit& request, const Authority* parent, TimePoint now) {
  const std::uint32_t days = request.days.value_or(kDefaultDays);
  if (days == 0)
    return fail(Code::invalid_input, "a CA for 0 days is never valid; give at least 1 day");
  const TimePoint end = now + std::chrono::hours(24) * std::int64_t{days};
  if (end > crypto::kNoExpiry) {
    return fail(
        Code::invalid_input,
        fmt::format("{} days lead past the year 9999, the last a certificate can name", days));
  }
  if (parent == nullptr) return end;
  const TimePoint parent_end = parent->certificate().not_after();
  if (end <= parent_end) return end;
  // Nobody has asked for the default's length, and an excess under a day nobody means.
  if (!request.days || end - parent_end < std::chrono::hours(24)) return parent_end;
  return fail(Code::invalid_input,
              fmt::format("a CA until {} would outlive its parent, which ends on {}; give at most "
                          "{} days",
                          to_rfc3339(end), to_rfc3339(parent_end),
                          std::chrono::floor<std::chrono::days>(parent_end - now).count()));
}

/// RFC 5280 4.2.1.9: a path length counts the CAs that may follow before the leaf.
Result<std::optional<long>> path_length_of(const CaInit& request, const Authority* parent) {
  if (parent == nullptr) {
    return request.path_length ? std::optional<long>(*request.path_length) : std::nullopt;
  }
  const std::optional<long> above = parent->certificate().path_length();
  const long wanted = request.path_length.value_or(0);
  if (above == 0) {
    return fail(Code::invalid_input,
                "the parent's path length is 0: it may issue devices, but no CA below it; use a CA "
                "above it, or make one with a longer path length");
  }
  if (above && wanted >= *above) {
    return fail(Code::invalid_input,
                fmt::format("the path length {} is not below the parent's, which is {}; give at "
                            "most {}",
                            wanted, *above, *above - 1));
  }
  return std::optional<long>(wanted);
}

Result<crypto::CaSpec> make_spec(const CaInit& request, const Authority* parent, TimePoint now) {
  crypto::CaSpec spec;
  spec.subject = request.subject;
  const bool named = std::ranges::any_of(spec.subject, [](const crypto::SubjectAttribute& one) {
    return one.field == crypto::NameField::common_name;
  });
  if (!named) {
    spec.subject.push_back({crypto::NameField::common_name,
                            std::string(parent == nullptr ? kDefaultName : kDefaultNameBelow)});
  }
  spec.not_before = now;
  spec.not_after = IMPRINT_TRY(end_of(request, parent, now));
  spec.path_length = IMPRINT_TRY(path_length_of(request, parent));
  return spec;
}

Result<crypto::Certificate> make_certificate(const CaInit& request, const Authority* parent,
                                             const crypto::PrivateKey& key, TimePoint now) {
  const crypto::CaSpec spec = IMPRINT_TRY(make_spec(request, parent, now));
  if (parent == nullptr) {
    crypto::Certificate root = IMPRINT_TRY(crypto::make_ca_certificate(spec, key));
    const auto signer = IMPRINT_TRY(crypto::make_key_signer(key));
    IMPRINT_TRY(verify_probe(root, *signer, now, crypto::Strictness::strict)
                    .context("checking the new CA with a test certificate"));
    return root;
  }
  const auto parent_signer = IMPRINT_TRY(parent->signer().clone());
  crypto::Certificate below =
      IMPRINT_TRY(crypto::issue_ca_certificate(spec, key, parent->certificate(), *parent_signer));
  if (below.is_self_signed() || below.subject_text() == parent->certificate().subject_text()) {
    return fail(Code::invalid_input,
                fmt::format("the subject {} is the parent's own, and verifiers tell CAs apart by "
                            "their subjects; give another --cn",
                            quoted(below.subject_text())));
  }
  const auto signer = IMPRINT_TRY(crypto::make_key_signer(key));
  IMPRINT_TRY(verify_probe(below, *signer, now, parent->strictness(), *parent)
                  .context("checking the new CA with a test certificate"));
  return below;
}

std::string concatenated(const crypto::Certificate& first, const Authority* parent) {
  std::string pem = first.to_pem();
  if (parent == nullptr) return pem;
  pem += parent->certificate().to_pem();
  for (const crypto::Certificate& above : parent->chain())
    pem += above.to_pem();
  return pem;
}

Result<> write_files(const NewCa& ca, const fs::path& directory, ByteView key_pem,
                     const std::string& chain) {
  NewFolder folder(directory);
  IMPRINT_TRY(folder.open(0700));
  IMPRINT_TRY(folder.write(ca.key, key_pem, 0600));
  const std::string certificate_pem = ca.parsed.to_pem();
  IMPRINT_TRY(folder.write(ca.certificate, bytes_of(certificate_pem), 0644));
  IMPRINT_TRY(folder.write(ca.chain, bytes_of(chain), 0644));
  if (ca.gateway) IMPRINT_TRY(folder.write(*ca.gateway, bytes_of(chain), 0644));
  return folder.keep();
}

/// A variable is gone once it was read.
Result<> check_passphrase_sources(const CaInit& request) {
  if (!request.passphrase || !request.parent || !request.parent->passphrase) return {};
  const PassphraseSource& own = *request.passphrase;
  const PassphraseSource& above = *request.parent->passphrase;
  if (own.kind != above.kind || own.argument != above.argument ||
      own.kind != PassphraseSource::Kind::env) {
    return {};
  }
  return fail(
      Code::invalid_input,
      fmt::format("the passphrases of the new key and of the parent's cannot both come from "
                  "'env:{}', which is removed when it is read; export it under two names",
                  own.argument));
}

}  // namespace

Result<NewCa> ca_init(const CaInit& request, const Clock& clock) {
  const fs::path& directory = request.directory;
  IMPRINT_TRY(refuse_existing(directory));
  IMPRINT_TRY(check_passphrase_sources(request));

  // Everything that can be refused is, before the folder is touched.
  const TimePoint now = clock.now();
  IMPRINT_TRY(check_clock(now));
  std::optional<Authority> opened;
  if (request.parent)
    opened = IMPRINT_TRY(Authority::open(*request.parent, now).context("the parent"));
  const Authority* const parent = opened ? &*opened : nullptr;
  std::optional<crypto::SecretBytes> passphrase;
  if (request.passphrase)
    passphrase = IMPRINT_TRY(read_passphrase(
        *request.passphrase, {.what = "Passphrase for the new CA key", .twice = true}));
  const auto key = IMPRINT_TRY(crypto::PrivateKey::generate(request.key));
  auto certificate = IMPRINT_TRY(make_certificate(request, parent, key, now));
  NewCa ca{.certificate = directory / kCertificateFile,
           .key = directory / kKeyFile,
           .chain = directory / kChainFile,
           .gateway = std::nullopt,
           .parsed = std::move(certificate),
           .warnings = {}};
  if (parent != nullptr) {
    ca.gateway = directory / kGatewayFile;
    ca.warnings.assign(parent->warnings().begin(), parent->warnings().end());
    const auto& top = parent->chain().empty() ? parent->certificate() : parent->chain().back();
    if (!top.is_self_signed()) {
      ca.warnings.push_back(
          fmt::format("the root above the parent is not known here, and most verifiers want it; "
                      "append it to {} and {}",
                      quoted(ca.chain.string()), quoted(ca.gateway->string())));
    }
  }
  const std::string chain = concatenated(ca.parsed, parent);
  if (request.before_writing) IMPRINT_TRY(request.before_writing(ca.parsed));
  if (passphrase) {
    const Bytes sealed = IMPRINT_TRY(key.to_encrypted_pem(*passphrase));
    IMPRINT_TRY(write_files(ca, directory, sealed, chain));
  } else {
    const crypto::SecretBytes plain = IMPRINT_TRY(key.to_pem());
    IMPRINT_TRY(write_files(ca, directory, plain.view(), chain));
  }
  return ca;
}

}  // namespace imprint::authority
