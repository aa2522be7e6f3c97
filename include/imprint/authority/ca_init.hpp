#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "imprint/authority/passphrase.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"

namespace imprint::authority {

/// Names inside a CA's folder.
inline constexpr const char* kCertificateFile = "ca-cert.pem";
inline constexpr const char* kKeyFile = "ca-private.key";
inline constexpr const char* kChainFile = "chain.pem";

/// A CA to be made.
struct CaInit {
  std::filesystem::path directory;                ///< made (0700) when missing
  std::vector<crypto::SubjectAttribute> subject;  ///< empty: CN "Imprint Device CA"
  crypto::KeyKind key = crypto::KeyKind::ec_p256;
  std::uint32_t days = 7300;  ///< twice ten years, so that ten-year devices fit for ten years
  /// Encrypts the key. None: the file's mode (0600) is its only protection.
  std::optional<PassphraseSource> passphrase;
};

struct NewCa {
  std::filesystem::path certificate;  ///< 0644
  std::filesystem::path key;          ///< 0600
  std::filesystem::path chain;        ///< 0644: what a server needs to accept the devices
  crypto::Certificate parsed;
};

/// Makes a self-signed root CA, verifies it strictly, and only then writes its three files. Never
/// overwrites: Code::exists names the file that is there. On failure none of the files it wrote is
/// left behind.
[[nodiscard]] Result<NewCa> ca_init(const CaInit& request, const Clock& clock);

}  // namespace imprint::authority
