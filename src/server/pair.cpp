#include "pair.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/key.hpp"
#include "tree_files.hpp"

namespace imprint::server {

namespace {

constexpr std::uint64_t kMaxCertificateBytes = std::uint64_t{1} << 20;

Result<std::vector<crypto::Certificate>> read_certificates(const fs::path& file) {
  const Bytes content = IMPRINT_TRY(read_file(file, kMaxCertificateBytes));
  return crypto::Certificate::parse_all(content).context(quoted(file.string()));
}

bool needs(const crypto::Certificate& trusted, const Pair& pair) {
  return std::ranges::any_of(pair.certificates, [&](const crypto::Certificate& certificate) {
    return certificate.fingerprint() == trusted.fingerprint() ||
           crypto::is_issued_by(certificate, trusted);
  });
}

}  // namespace

Result<Pair> read_pair(const fs::path& folder) {
  Pair pair{.certificate_file = folder / kCertificateFile, .certificates = {}};
  pair.certificates = IMPRINT_TRY(read_certificates(pair.certificate_file));
  const fs::path key_file = folder / kKeyFile;
  const crypto::SecretBytes content = IMPRINT_TRY(read_secret(key_file));
  const auto key =
      IMPRINT_TRY(crypto::PrivateKey::from_pem(content.view()).context(quoted(key_file.string())));
  if (crypto::belongs_together(key, pair.own())) return pair;
  return fail(Code::invalid_input,
              fmt::format("{} is not the key of {}; put the right one there",
                          quoted(key_file.string()), quoted(pair.certificate_file.string())));
}

std::string_view word(Progress progress) noexcept {
  switch (progress) {
    case Progress::steady:
      return "steady";
    case Progress::begun:
      return "begun";
    case Progress::switched:
      return "switched";
  }
  return "";
}

Result<Progress> progress_of(const fs::path& directory, Layout layout) {
  const auto places = certificate_places(layout);
  const auto count = [&](std::string_view below) -> Result<std::size_t> {
    std::size_t found = 0;
    for (const CertificatePlace& place : places) {
      const bool there = IMPRINT_TRY(is_there(directory / place.folder / below));
      if (there) ++found;
    }
    return found;
  };
  const std::size_t all = places.size();
  const std::size_t next = IMPRINT_TRY(count(kNextFolder));
  const std::size_t old = IMPRINT_TRY(count(kOldFolder));
  if (next == 0 && old == 0) return Progress::steady;
  if (next == all && old == 0) return Progress::begun;
  if (next == 0 && old == all) return Progress::switched;
  return fail(
      Code::invalid_input,
      fmt::format("{} holds a rotation that is no step of one: 'next' in {} and 'old' in {} "
                  "of {} folders; move what does not belong there away",
                  quoted((directory / certificates_folder(layout)).string()), next, old, all));
}

Result<std::vector<Pair>> read_pairs(const fs::path& directory, Layout layout,
                                     std::string_view below) {
  std::vector<Pair> pairs;
  for (const CertificatePlace& place : certificate_places(layout)) {
    const fs::path folder = directory / place.folder;
    pairs.push_back(IMPRINT_TRY(read_pair(below.empty() ? folder : folder / below)));
  }
  return pairs;
}

Result<std::vector<crypto::Certificate>> read_trust(const fs::path& directory, Layout layout) {
  const fs::path file = directory / trust_file(layout);
  const bool there = IMPRINT_TRY(is_there(file));
  if (there) return read_certificates(file);
  std::vector<crypto::Certificate> trusted;
  for (const CertificatePlace& place : certificate_places(layout)) {
    const auto certificates =
        IMPRINT_TRY(read_certificates(directory / place.folder / kCertificateFile));
    std::ranges::copy_if(
        certificates, std::back_inserter(trusted),
        [](const crypto::Certificate& certificate) { return certificate.is_self_signed(); });
  }
  return trusted;
}

std::vector<crypto::Certificate> trust_for(std::span<const crypto::Certificate> trusted,
                                           std::span<const Pair> pairs) {
  std::vector<bool> taken(trusted.size());
  const auto is_needed = [&](const crypto::Certificate& one) {
    if (std::ranges::any_of(pairs, [&](const Pair& pair) { return needs(one, pair); })) return true;
    for (std::size_t i = 0; i < trusted.size(); ++i) {
      if (taken[i] && crypto::is_issued_by(trusted[i], one)) return true;
    }
    return false;
  };
  // Again until nothing is added: what is above may stand before what is below.
  for (bool added = true; added;) {
    added = false;
    for (std::size_t i = 0; i < trusted.size(); ++i) {
      if (taken[i] || !is_needed(trusted[i])) continue;
      taken[i] = true;
      added = true;
    }
  }
  std::vector<crypto::Certificate> needed;
  for (std::size_t i = 0; i < trusted.size(); ++i) {
    if (taken[i]) needed.push_back(trusted[i]);
  }
  return needed;
}

std::string rotate_command(const fs::path& directory, std::string_view step) {
  const std::string out =
      directory == "keys-generated" ? "" : fmt::format("--out {} ", directory.string());
  return quoted(fmt::format("imprint keygen rotate {}{}", out, step));
}

}  // namespace imprint::server
