#include "trust_files.hpp"

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/examine.hpp"
#include "named_file.hpp"

namespace imprint::verify {

namespace {

/// What a file holds, in words; an error says what is wrong with it.
Result<std::string> server_certificates(const NamedFile& file, const std::string& path,
                                        TimePoint at) {
  const auto certificates = IMPRINT_TRY(crypto::Certificate::parse_all(file.content).context(path));
  for (const crypto::Certificate& certificate : certificates) {
    if (at >= certificate.not_before() && at <= certificate.not_after()) continue;
    return fail(Code::check_failed,
                fmt::format("{}: {} is valid from {} to {}, not at {}", path,
                            certificate.subject_text(), to_rfc3339(certificate.not_before()),
                            to_rfc3339(certificate.not_after()), to_rfc3339(at)));
  }
  const std::string first = certificates.front().subject_text();
  return certificates.size() == 1 ? first
                                  : fmt::format("{} and {} more", first, certificates.size() - 1);
}

Result<std::string> artifact_key(const NamedFile& file, const std::string& path) {
  for (const crypto::FileObject& object : crypto::objects_in(file.content)) {
    if (const auto* key = std::get_if<crypto::PublicKeyFacts>(&object)) {
      return fmt::format("{} ({})", path,
                         key->kind ? crypto::name(*key->kind) : "of an uncommon kind");
    }
    if (std::holds_alternative<crypto::PrivateKeyFacts>(object)) {
      return fail(Code::check_failed,
                  path + " is a private key: it signs Artifacts, and must not be on a device");
    }
  }
  return fail(Code::check_failed, path + " holds no public key");
}

}  // namespace

void check_trust_files(OpenImage& image, std::vector<Client>& clients, TimePoint at,
                       Findings& findings) {
  for (Client& client : clients) {
    const auto judge = [&](std::string_view check, std::string_view setting,
                           const std::string& path, const auto& look) {
      const std::string prefix = prefix_of(image, *client.root, path);
      const auto file = read_named_file(client.root->tree, setting, path);
      const Result<std::string> found =
          file ? look(*file) : Result<std::string>(fail(file.error()));
      if (found) {
        findings.passed(check, prefix + *found);
      } else {
        findings.failed(check, prefix + found.error().message());
      }
    };
    if (const auto& path = client.conf.server_certificate()) {
      judge(check::kServerCertificate, "ServerCertificate", *path,
            [&](const NamedFile& file) { return server_certificates(file, *path, at); });
    }
    for (const std::string& path : client.conf.artifact_verify_keys()) {
      judge(check::kArtifactKey, "ArtifactVerifyKey", path,
            [&](const NamedFile& file) { return artifact_key(file, path); });
    }
  }
}

}  // namespace imprint::verify
