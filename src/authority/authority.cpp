// What a CA has to be before it signs. OpenSSL's own tools check almost none of this when they
// issue: `openssl x509 -req` signs with an expired CA, and with one that is no CA. So each rule is
// asked here, and at the end a probe certificate is issued and verified, for the rules that nobody
// thought of.

#include "imprint/authority/authority.hpp"

#include <fmt/format.h>

#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"
#include "probe.hpp"
#include "secret_file.hpp"

namespace imprint::authority {

namespace {

using crypto::Certificate;
using crypto::PrivateKey;
using crypto::Strictness;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

Unexpected refuse(std::string_view why) {
  return fail(Code::invalid_input, std::string(why));
}

Result<std::vector<Certificate>> read_certificates(const std::filesystem::path& path) {
  const Bytes content = IMPRINT_TRY(read_file(path, kMaxFileBytes));
  if (text_of(content).find("-----BEGIN ") != std::string_view::npos) {
    return Certificate::parse_all(content).context(quoted(path.string()));
  }
  std::vector<Certificate> single;
  single.push_back(IMPRINT_TRY(Certificate::parse(content).context(quoted(path.string()))));
  return single;
}

Result<> check_is_ca(const Certificate& ca) {
  if (ca.version() < 3) {
    if (ca.is_self_signed()) return {};
    return refuse("is no CA certificate: it is an X.509 v1 certificate that another CA has issued");
  }
  if (!ca.has_basic_constraints()) {
    return refuse(
        "is no CA certificate: it has no basicConstraints, without which clients and servers do "
        "not "
        "accept what it signs; make the CA with basicConstraints=critical,CA:TRUE (imprint ca init "
        "does)");
  }
  if (!ca.is_ca()) {
    return refuse(
        "is no CA certificate: its basicConstraints say CA:FALSE; name the certificate of the CA "
        "itself");
  }
  if (!ca.may_sign_certificates()) {
    return refuse(
        "may not sign certificates: its keyUsage lacks keyCertSign; name the CA that issues "
        "devices");
  }
  return {};
}

Result<> check_validity(const Certificate& ca, TimePoint now) {
  if (now > ca.not_after()) {
    return refuse(fmt::format("expired on {} (now it is {}); renew the CA, or set the clock",
                              to_rfc3339(ca.not_after()), to_rfc3339(now)));
  }
  if (now < ca.not_before()) {
    return refuse(fmt::format("is not valid before {} (now it is {}); wait, or set the clock",
                              to_rfc3339(ca.not_before()), to_rfc3339(now)));
  }
  return {};
}

Result<PrivateKey> parse_key(const SecretFile& file,
                             const std::optional<PassphraseSource>& source) {
  return PrivateKey::from_pem(file.content.view(), [&]() -> Result<crypto::SecretBytes> {
    if (source) return read_passphrase(*source);
    return refuse(
        "it is encrypted and no passphrase was given; name its source: env:NAME, file:PATH, fd:N, "
        "credential:NAME or prompt");
  });
}

Result<std::unique_ptr<crypto::Signer>> open_key_file(const KeyFile& file,
                                                      const AuthoritySource& source,
                                                      const Certificate& ca,
                                                      std::vector<std::string>& warnings) {
  const std::string key_name = quoted(file.path.string());
  const SecretFile content =
      IMPRINT_TRY(read_secret_file(file.path, kMaxFileBytes).context("reading the CA key"));
  if (content.readable_by_others) {
    warnings.push_back(
        fmt::format("CA key {} can be read by others; run chmod 600 on it", key_name));
  }
  const PrivateKey key =
      IMPRINT_TRY(parse_key(content, source.passphrase).context("CA key " + key_name));
  auto signer = IMPRINT_TRY(crypto::make_key_signer(key).context("CA key " + key_name));
  if (!crypto::belongs_together(key, ca)) {
    return fail(Error(Code::invalid_input, "belongs to another certificate than " +
                                               quoted(source.certificate.string()) +
                                               "; name the key with which that one was made")
                    .context("CA key " + key_name));
  }
  return signer;
}

Result<std::unique_ptr<crypto::Signer>> open_signer(const AuthoritySource& source,
                                                    const Certificate& ca,
                                                    std::vector<std::string>& warnings) {
  if (const auto* file = std::get_if<KeyFile>(&source.key)) {
    return open_key_file(*file, source, ca, warnings);
  }
  return fail(Code::unsupported, "only key files can sign");
}

}  // namespace

Result<Authority> Authority::open(const AuthoritySource& source, TimePoint now) {
  const std::string certificate_name = quoted(source.certificate.string());
  std::vector<std::string> warnings;

  std::vector<Certificate> certificates =
      IMPRINT_TRY(read_certificates(source.certificate).context("reading the CA certificate"));
  Certificate ca = certificates.front();
  certificates.erase(certificates.begin());
  IMPRINT_TRY(check_is_ca(ca).context("CA certificate " + certificate_name));
  IMPRINT_TRY(check_validity(ca, now).context("CA certificate " + certificate_name));
  if (ca.version() < 3) {
    warnings.push_back(
        fmt::format("CA certificate {} is X.509 v1: some verifiers refuse it, and nothing in it "
                    "says that it is a CA",
                    certificate_name));
  }
  if (ca.has_weak_signature()) {
    warnings.push_back(fmt::format("CA certificate {} is signed with {}, which is broken",
                                   certificate_name, ca.signature_algorithm()));
  }

  auto signer = IMPRINT_TRY(open_signer(source, ca, warnings));
  Authority authority(std::move(ca), std::move(certificates), std::move(signer));
  const auto strict =
      verify_probe(authority.certificate_, *authority.signer_, now, Strictness::strict);
  if (!strict) {
    IMPRINT_TRY(
        verify_probe(authority.certificate_, *authority.signer_, now, Strictness::plain)
            .context("CA certificate " + certificate_name + ": issuing a test certificate"));
    authority.strictness_ = Strictness::plain;
    warnings.push_back(
        fmt::format("CA certificate {}: strict verifiers will refuse its devices ({})",
                    certificate_name, strict.error().what));
  }
  authority.warnings_ = std::move(warnings);
  return authority;
}

}  // namespace imprint::authority
