#include "given_pair.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/examine.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::server {

namespace {

constexpr std::uint64_t kPemLimitBytes = std::uint64_t{1} << 20;
constexpr std::chrono::days kSoon{90};

Result<crypto::SecretBytes> read_key(const fs::path& path) {
  const File file = IMPRINT_TRY(File::open_read(path));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  if (size > kPemLimitBytes)
    return fail(Code::invalid_input, fmt::format("is too large to be a key ({} bytes)", size));
  crypto::SecretBytes content(static_cast<std::size_t>(size));
  IMPRINT_TRY(file.read_exact(0, content.mutable_view()));
  return content;
}

Result<crypto::SecretBytes> no_passphrase() {
  return fail(Code::invalid_input,
              "the key is encrypted, and the servers have no passphrase for it: decrypt it first");
}

Result<> judge(const crypto::Certificate& certificate, TimePoint now) {
  if (certificate.not_after() < now) {
    return fail(Code::invalid_input,
                fmt::format("has expired, on {}", to_rfc3339(certificate.not_after())));
  }
  if (certificate.is_ca()) {
    return fail(Code::invalid_input,
                "is the certificate of a CA, whose key has no place on a server: give one that the "
                "CA has issued for the server (imprint ca issue-server)");
  }
  // For itself alone: by whom it is issued is for the devices to judge.
  const auto judged = crypto::verify_server_certificate(certificate, {}, {&certificate, 1},
                                                        std::max(now, certificate.not_before()),
                                                        crypto::Strictness::plain);
  if (judged) return {};
  return fail(Code::invalid_input, "is not a TLS server's certificate (extendedKeyUsage)");
}

/// What works today, and will not be enough.
void look_at(const crypto::Certificate& certificate, const std::string& named, TimePoint now,
             std::vector<std::string>& warnings) {
  if (certificate.not_before() > now) {
    warnings.push_back(
        fmt::format("{} is not valid before {}", named, to_rfc3339(certificate.not_before())));
  }
  if (certificate.not_after() < now + kSoon) {
    warnings.push_back(fmt::format("{} ends on {}, within 90 days: devices refuse the edge then",
                                   named, to_rfc3339(certificate.not_after())));
  }
  const auto names = crypto::names_of(certificate).alt_names;
  const bool has_name = std::ranges::any_of(names, [](const std::string& name) {
    return name.starts_with("DNS:") || name.starts_with("IP:");
  });
  if (!has_name) {
    warnings.push_back(fmt::format(
        "{} has no host name or address as subjectAltName, and Mender's clients look for the "
        "server's name there",
        named));
  }
}

}  // namespace

Result<GivenPair> read_given_pair(const fs::path& certificate_path, const fs::path& key_path,
                                  TimePoint now, std::vector<std::string>& warnings) {
  const std::string certificate_named = fmt::format("--cert {}", quoted(certificate_path.string()));
  const std::string key_named = fmt::format("--key {}", quoted(key_path.string()));
  const Bytes content =
      IMPRINT_TRY(read_file(certificate_path, kPemLimitBytes).context(certificate_named));
  const auto chain =
      IMPRINT_TRY(crypto::Certificate::parse_all(content).context(certificate_named));
  const crypto::Certificate& certificate = chain.front();
  IMPRINT_TRY(judge(certificate, now).context(certificate_named));

  crypto::SecretBytes key_pem = IMPRINT_TRY(read_key(key_path).context(key_named));
  const auto key = crypto::PrivateKey::from_pem(key_pem.view(), no_passphrase);
  if (!key) return fail(Error(key.error()).context(key_named));
  if (!crypto::belongs_together(*key, certificate)) {
    return fail(Code::invalid_input, fmt::format("{} does not belong to the certificate {}",
                                                 key_named, quoted(certificate_path.string())));
  }
  look_at(certificate, certificate_named, now, warnings);
  GivenPair pair{.certificate = certificate, .chain_pem = {}, .key = std::move(key_pem)};
  for (const crypto::Certificate& each : chain)
    pair.chain_pem += each.to_pem();
  return pair;
}

}  // namespace imprint::server
