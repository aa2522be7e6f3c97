// The files that every device of a batch trusts. A mistake here shows only in the field: a client
// whose ServerCertificate does not parse goes on without it, one whose ArtifactVerifyKey does not
// parse installs nothing. So they are judged as the client will use them.

#include "conf_entries.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/authority/passphrase.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/issue.hpp"
#include "one_device.hpp"

namespace imprint::pipeline {

namespace {

using manifest::Manifest;
using manifest::TrustFile;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t kPemLimitBytes = std::uint64_t{1} << 20;
constexpr std::chrono::hours kSoon{24 * 90};

/// `batch.json: /mender_conf/server_certificate: 'server.crt'`, or with a flag instead of the
/// place.
std::string place(const Manifest& manifest, const std::string& named) {
  return named.starts_with('/') ? fmt::format("{}: {}", printable(manifest.path.native()), named)
                                : named;
}

std::string place(const Manifest& manifest, const TrustFile& file) {
  return fmt::format("{}: {}", place(manifest, file.named), quoted(file.from.native()));
}

/// The content, in secret memory until it is known to be none.
Result<Bytes> read_public_file(const TrustFile& file, std::string_view instead) {
  const crypto::SecretBytes content = IMPRINT_TRY(read_secret_file(file.from, kPemLimitBytes));
  if (text_of(content.view()).find("PRIVATE KEY-----") != std::string_view::npos) {
    return fail(Code::invalid_input,
                fmt::format("holds a private key, which all devices would get: give {}", instead));
  }
  return Bytes(content.view().begin(), content.view().end());
}

golden::SharedFile shared_file(const TrustFile& file, Bytes content) {
  return {.path = file.to, .content = std::move(content), .attributes = {0644, 0, 0}};
}

// --- the server's certificate
// ------------------------------------------------------------------------

Result<> check_certificate(const crypto::Certificate& certificate, TimePoint now,
                           std::vector<std::string>& warnings, const std::string& shown) {
  const std::string subject = quoted(certificate.subject_text());
  if (certificate.not_after() < now) {
    return fail(Code::invalid_input,
                fmt::format("{} has expired, on {}: no client would accept the server by it",
                            subject, to_rfc3339(certificate.not_after())));
  }
  const TimePoint at = std::max(now, certificate.not_before());
  const Result<> as_server = crypto::verify_server_certificate(certificate, {}, {&certificate, 1},
                                                               at, crypto::Strictness::plain);
  if (!certificate.is_ca() && !as_server) {
    return fail(
        Code::invalid_input,
        fmt::format("{} is neither a CA's certificate nor a server's: give the server's, or "
                    "that of the CA that issued it",
                    subject));
  }
  if (certificate.not_before() > now) {
    warnings.push_back(fmt::format("{}: {} is not valid before {}", shown, subject,
                                   to_rfc3339(certificate.not_before())));
  }
  if (certificate.not_after() - now < kSoon) {
    warnings.push_back(
        fmt::format("{}: {} ends soon, on {}; devices do not accept the server by it "
                    "after that",
                    shown, subject, to_rfc3339(certificate.not_after())));
  }
  return {};
}

Result<golden::SharedFile> read_server_certificate(const TrustFile& file, TimePoint now,
                                                   std::vector<std::string>& warnings,
                                                   const std::string& shown) {
  Bytes content = IMPRINT_TRY(read_public_file(file, "the certificate alone"));
  if (text_of(content).find("-----BEGIN CERTIFICATE-----") == std::string_view::npos) {
    return fail(
        Code::invalid_input,
        "holds no PEM certificate, which is what clients read ('-----BEGIN CERTIFICATE-----'; "
        "of DER: openssl x509 -inform der)");
  }
  const auto certificates = IMPRINT_TRY(crypto::Certificate::parse_all(content));
  for (const crypto::Certificate& certificate : certificates)
    IMPRINT_TRY(check_certificate(certificate, now, warnings, shown));
  return shared_file(file, std::move(content));
}

// --- keys that Artifacts are signed for
// --------------------------------------------------------------

bool verifies_artifacts(crypto::KeyKind kind) {
  switch (kind) {
    case crypto::KeyKind::ec_p256:
    case crypto::KeyKind::rsa_2048:
    case crypto::KeyKind::rsa_3072:
    case crypto::KeyKind::rsa_4096:
      return true;
    default:
      return false;
  }
}

struct VerifyKey {
  golden::SharedFile file;
  Bytes der;
};

Result<VerifyKey> read_verify_key(const TrustFile& file) {
  constexpr std::string_view kBegin = "-----BEGIN PUBLIC KEY-----";
  Bytes content = IMPRINT_TRY(read_public_file(
      file, "the public one ('imprint artifact-key' writes both; or openssl pkey -pubout)"));
  const std::string_view text = text_of(content);
  const std::size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos) {
    return fail(Code::invalid_input,
                "holds no PEM public key ('-----BEGIN PUBLIC KEY-----'); of a private key: openssl "
                "pkey -pubout, of a certificate: openssl x509 -noout -pubkey");
  }
  if (text.find(kBegin, begin + 1) != std::string_view::npos) {
    return fail(Code::invalid_input,
                "holds several keys, of which clients read the first: give each a file of its own, "
                "and artifact_verify_key an array");
  }
  const auto key = IMPRINT_TRY(crypto::PublicKey::parse(bytes_of(text.substr(begin))));
  if (!verifies_artifacts(key.kind())) {
    return fail(Code::unsupported,
                fmt::format("is a key of kind {}, and Artifacts are signed with RSA or ec:P-256",
                            crypto::name(key.kind())));
  }
  Bytes der = IMPRINT_TRY(key.der());
  return VerifyKey{.file = shared_file(file, std::move(content)), .der = std::move(der)};
}

/// The keys' files are added to `files`. One key in two files is refused: what the client would
/// install is the same, so that one of the two is not what was meant.
Result<> read_verify_keys(const Manifest& manifest, std::span<const TrustFile> keys,
                          std::vector<golden::SharedFile>& files) {
  std::vector<Bytes> before;
  for (const TrustFile& key : keys) {
    VerifyKey read = IMPRINT_TRY(read_verify_key(key).context(place(manifest, key)));
    const auto same = std::ranges::find(before, read.der);
    if (same != before.end()) {
      const TrustFile& other = keys[static_cast<std::size_t>(same - before.begin())];
      return fail(Code::invalid_input,
                  fmt::format("{}: holds the same key as {}: name it once", place(manifest, key),
                              quoted(other.from.native())));
    }
    before.push_back(std::move(read.der));
    files.push_back(std::move(read.file));
  }
  return {};
}

// --- settings
// ----------------------------------------------------------------------------------------

/// Two settings that exclude each other: setting the one removes the other.
void set_one_of(Json& settings, const char* single, const char* list, Json value) {
  const bool is_list = value.is_array();
  settings[is_list ? list : single] = std::move(value);
  settings[is_list ? single : list] = nullptr;
}

void set_servers(const manifest::MenderConfSpec& spec, Json& settings) {
  if (spec.servers.empty()) return;
  Json list = Json::array();
  for (const std::string& url : spec.servers)
    list.push_back({{"ServerURL", url}});
  set_one_of(settings, "ServerURL", "Servers",
             spec.server_list ? std::move(list) : Json(spec.servers.front()));
}

/// The token's form is the server's affair, but none has a space in it, and what is pasted has.
Result<> check_tenant_token(std::string_view token) {
  const bool printable_ascii =
      std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; });
  if (printable_ascii && !token.empty()) return {};
  return fail(Code::invalid_input,
              "a tenant token is one line of ASCII without spaces (it is not shown here)");
}

Result<> set_tenant_token(const manifest::MenderConfSpec& spec, Json& settings) {
  if (spec.tenant_token.index() == 0) return {};
  std::string token;
  if (const auto* text = std::get_if<std::string>(&spec.tenant_token)) token = *text;
  if (const auto* source = std::get_if<authority::PassphraseSource>(&spec.tenant_token)) {
    const auto read = IMPRINT_TRY(authority::read_passphrase(
        *source, {.what = "Tenant token", .twice = false, .called = "tenant token"}));
    token = text_of(read.view());
  }
  IMPRINT_TRY(check_tenant_token(token));
  settings["TenantToken"] = std::move(token);
  return {};
}

}  // namespace

Result<ConfEntries> read_conf_entries(const Manifest& manifest, TimePoint now) {
  const manifest::MenderConfSpec& spec = manifest.mender_conf;
  ConfEntries entries;
  for (const std::string& warning : spec.warnings) {
    entries.warnings.push_back(
        warning.starts_with('/') ? fmt::format("{}: {}", printable(manifest.path.native()), warning)
                                 : warning);
  }
  Json settings = Json::object();
  set_servers(spec, settings);
  IMPRINT_TRY(set_tenant_token(spec, settings).context(place(manifest, spec.tenant_token_named)));
  if (spec.server_certificate) {
    const std::string shown = place(manifest, *spec.server_certificate);
    entries.files.push_back(
        IMPRINT_TRY(read_server_certificate(*spec.server_certificate, now, entries.warnings, shown)
                        .context(shown)));
    settings["ServerCertificate"] = spec.server_certificate->to;
  }
  IMPRINT_TRY(read_verify_keys(manifest, spec.artifact_verify_keys, entries.files));
  Json keys = Json::array();
  for (const TrustFile& key : spec.artifact_verify_keys)
    keys.push_back(key.to);
  if (!keys.empty()) {
    set_one_of(settings, "ArtifactVerifyKey", "ArtifactVerifyKeys",
               spec.artifact_verify_key_list ? keys : keys.front());
  }
  entries.settings = std::make_shared<const Json>(std::move(settings));
  return entries;
}

}  // namespace imprint::pipeline
