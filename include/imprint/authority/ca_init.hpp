#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/authority/ca_folder.hpp"
#include "imprint/authority/passphrase.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"

namespace imprint::authority {

/// A CA to be made.
struct CaInit {
  std::filesystem::path directory;  ///< made (0700) when missing
  /// Without a CN it gets "Imprint Device CA", below a parent "Imprint Issuing CA".
  std::vector<crypto::SubjectAttribute> subject;
  crypto::KeyKind key = crypto::KeyKind::ec_p256;
  /// None: 7300, twice ten years, so that ten-year devices fit for ten years; below a parent that
  /// ends before, until the parent ends.
  std::optional<std::uint32_t> days;
  /// How many CAs may follow below this one. None: any number for a root, 0 below a parent, which
  /// is what issues devices.
  std::optional<std::uint32_t> path_length;
  /// Encrypts the key. None: the file's mode (0600) is its only protection.
  std::optional<PassphraseSource> passphrase;
  /// The CA that signs this one. None: a self-signed root.
  std::optional<AuthoritySource> parent;
  /// Told of the certificate when it is verified and no file is written yet; its error ends all.
  std::function<Result<>(const crypto::Certificate&)> before_writing;
};

struct NewCa {
  std::filesystem::path certificate;  ///< 0644
  std::filesystem::path key;          ///< 0600
  std::filesystem::path chain;        ///< 0644: this CA and those above it, up to the root
  /// 0644, only below a parent: what a gateway has to trust. The same certificates as `chain`:
  /// Mender clients from 4.0 on send only their own certificate, so the CA that issued it has to be
  /// there, and OpenSSL's verifiers want the root as well.
  std::optional<std::filesystem::path> gateway;
  crypto::Certificate parsed;
  std::vector<std::string> warnings;  ///< of the parent
};

/// Makes a root or an intermediate CA, verifies it strictly, and only then writes its files. Never
/// overwrites: Code::exists names the file that is there. On failure none of the files it wrote is
/// left behind. A parent that may not have CAs below it, or that ends before, is refused.
[[nodiscard]] Result<NewCa> ca_init(const CaInit& request, const Clock& clock);

}  // namespace imprint::authority
