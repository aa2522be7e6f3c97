// What a CA has to be before it signs. OpenSSL's own tools check almost none of this when they
// issue: `openssl x509 -req` signs with an expired CA, and with one that is no CA. So each rule is
// asked here, and at the end a probe certificate is issued and verified, for the rules that nobody
// thought of.

#include "imprint/authority/authority.hpp"

#include <fmt/format.h>

#include "ca_checks.hpp"
#include "ca_files.hpp"
#include "command_signer.hpp"
#include "imprint/authority/token_uri.hpp"
#include "imprint/base/text.hpp"
#include "probe.hpp"
#include "secret_file.hpp"
#include "token_signer.hpp"

namespace imprint::authority {

namespace {

using crypto::Certificate;
using crypto::PrivateKey;
using crypto::Strictness;

Unexpected refuse(std::string_view why) {
  return fail(Code::invalid_input, std::string(why));
}

Result<PrivateKey> parse_key(const SecretFile& file, const std::string& key_name,
                             const std::optional<PassphraseSource>& source) {
  return PrivateKey::parse(file.content.view(), [&]() -> Result<crypto::SecretBytes> {
    if (source) return read_passphrase(*source, {.what = "Passphrase of the CA key " + key_name});
    return refuse(
        "it is encrypted and no passphrase was given; name its source: env:NAME, file:PATH, fd:N, "
        "credential:NAME or prompt");
  });
}

Result<std::unique_ptr<crypto::Signer>> open_key_file(const KeyFile& file,
                                                      const AuthoritySource& source,
                                                      std::vector<std::string>& warnings) {
  const std::string key_name = quoted(file.path.string());
  const SecretFile content =
      IMPRINT_TRY(read_secret_file(file.path, kMaxCaFileBytes).context("reading the CA key"));
  if (content.readable_by_others) {
    warnings.push_back(
        fmt::format("CA key {} can be read by others; run chmod 600 on it", key_name));
  }
  const PrivateKey key =
      IMPRINT_TRY(parse_key(content, key_name, source.passphrase).context("CA key " + key_name));
  return crypto::make_key_signer(key).context("CA key " + key_name);
}

/// The key as it is called in messages.
struct KeyName {
  std::string operator()(const KeyFile& file) const {
    return "CA key " + quoted(file.path.string());
  }

  std::string operator()(const TokenKey& token) const { return "CA key " + quoted(token.uri); }

  std::string operator()(const CommandKey& command) const {
    return "signing command " +
           (command.command.empty() ? std::string("''") : quoted(command.command.front()));
  }
};

/// Whatever made the signature: does the certificate say that it is right?
Result<> check_probe_signature(crypto::Signer& signer, const AuthoritySource& source,
                               const Certificate& ca) {
  constexpr std::string_view kProbe = "imprint: does this key belong to the CA certificate?";
  const std::string key_name = std::visit(KeyName{}, source.key);
  const Bytes signature = IMPRINT_TRY(
      crypto::sign_message(signer, bytes_of(kProbe)).context(key_name + ": a test signature"));
  const auto has_signed = [&](const Certificate& certificate) {
    return crypto::verify_signature(certificate, signer.algorithm(), bytes_of(kProbe), signature);
  };
  if (has_signed(ca)) return {};
  return fail(Error(Code::invalid_input, "belongs to another certificate than " +
                                             quoted(source.certificate.string()) + "; " +
                                             advice_for_stranger(source, has_signed))
                  .context(key_name));
}

Result<std::unique_ptr<crypto::Signer>> open_signer(const AuthoritySource& source,
                                                    const Certificate& ca,
                                                    std::vector<std::string>& warnings) {
  if (const auto* file = std::get_if<KeyFile>(&source.key)) {
    return open_key_file(*file, source, warnings);
  }
  if (const auto* token = std::get_if<TokenKey>(&source.key)) {
    // The URI is in no message before it is known to hold no PIN.
    IMPRINT_TRY(check_token_uri(token->uri).context("the CA key's PKCS#11 URI"));
    return make_token_signer(*token, source.passphrase, ca, warnings).context(KeyName{}(*token));
  }
  const auto& command = std::get<CommandKey>(source.key);
  if (source.passphrase) {
    return fail(Error(Code::invalid_input,
                      "it gets its secrets by itself; a passphrase is for a key file or a token")
                    .context(KeyName{}(command)));
  }
  return make_command_signer(command, ca);
}

}  // namespace

Result<Authority> Authority::open(const AuthoritySource& source, TimePoint now) {
  const std::string certificate_name = quoted(source.certificate.string());
  IMPRINT_TRY(check_clock(now));
  CaFiles files = IMPRINT_TRY(read_ca_files(source));
  const Certificate& ca = files.certificate;
  IMPRINT_TRY(check_may_issue(ca).context("CA certificate " + certificate_name));
  IMPRINT_TRY(check_valid_at(ca, now).context("CA certificate " + certificate_name));
  auto signer = IMPRINT_TRY(open_signer(source, ca, files.warnings));
  IMPRINT_TRY(check_probe_signature(*signer, source, ca));
  // The key may be sound and its certificate describe it in a way that verifiers refuse.
  IMPRINT_TRY(crypto::signature_algorithm_of(ca).context("CA certificate " + certificate_name));
  Authority authority(std::move(files.certificate), std::move(files.chain), std::move(signer));
  const auto strict =
      verify_probe(authority.certificate_, *authority.signer_, now, Strictness::strict);
  if (!strict) {
    IMPRINT_TRY(
        verify_probe(authority.certificate_, *authority.signer_, now, Strictness::plain)
            .context("CA certificate " + certificate_name + ": issuing a test certificate"));
    authority.strictness_ = Strictness::plain;
    files.warnings.push_back(
        fmt::format("CA certificate {}: strict verifiers will refuse its devices ({})",
                    certificate_name, strict.error().what));
  }
  if (!authority.chain_.empty()) {
    // Who trusts the CA itself does not mind what is above it; who goes up to the root does.
    const auto to_top = verify_probe(authority.certificate_, *authority.signer_, now,
                                     authority.strictness_, authority.chain_);
    if (!to_top) {
      files.warnings.push_back(fmt::format(
          "CA certificate {}: verifiers that go up to {} will refuse its devices ({})",
          certificate_name, quoted(authority.chain_.back().subject_text()), to_top.error().what));
    }
  }
  authority.warnings_ = std::move(files.warnings);
  return authority;
}

}  // namespace imprint::authority
