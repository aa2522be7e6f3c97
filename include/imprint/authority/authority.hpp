#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "imprint/authority/passphrase.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/signer.hpp"

namespace imprint::authority {

/// The CA's private key in a PEM file.
struct KeyFile {
  std::filesystem::path path;
};

/// The CA's private key in a PKCS#11 token, by its RFC 7512 URI (never with a pin-value).
struct TokenKey {
  std::string uri;
};

/// A program that signs (docs/signers.md says how it is talked to).
struct CommandKey {
  enum class Mode {
    coprocess,  ///< one process a worker, for the whole run
    call,       ///< one process a signature
  };

  std::vector<std::string> command;  ///< program and arguments; no shell
  Mode mode = Mode::coprocess;
  std::chrono::seconds timeout{30};  ///< for one signature
};

using KeyLocation = std::variant<KeyFile, TokenKey, CommandKey>;

/// Where a CA is.
struct AuthoritySource {
  std::filesystem::path certificate;  ///< PEM (the CA first, then its chain) or DER
  KeyLocation key;
  std::optional<PassphraseSource> passphrase;  ///< of the key file, or the token's PIN
  /// More certificates above the CA, in any order (PEM); it may hold the CA as well.
  std::optional<std::filesystem::path> chain = std::nullopt;
};

/// The CA that signs device certificates: its certificate and its signer, checked before the first
/// key is made. Immutable after open; reading is thread-safe, workers clone the signer.
class Authority {
 public:
  /// Refuses what would give certificates that nobody accepts, naming the file, the rule and what
  /// to do: files that are missing, no regular file, empty or damaged; a certificate that is no
  /// CA's, lacks keyCertSign, is expired or not yet valid at `now`; a key that is weak, encrypted
  /// without a passphrase (or with another), or another certificate's. The passphrase is read only
  /// when the key is encrypted.
  static Result<Authority> open(const AuthoritySource& source, TimePoint now);

  [[nodiscard]] const crypto::Certificate& certificate() const noexcept { return certificate_; }

  /// The certificates above the CA, its issuer first, as far as its files hold them.
  [[nodiscard]] std::span<const crypto::Certificate> chain() const noexcept { return chain_; }

  [[nodiscard]] const crypto::Signer& signer() const noexcept { return *signer_; }

  /// How its certificates can be verified: `plain` when the CA itself does not meet the strict
  /// rules, which is one of the warnings.
  [[nodiscard]] crypto::Strictness strictness() const noexcept { return strictness_; }

  /// One line each, for the user: allowed, but not as it should be.
  [[nodiscard]] std::span<const std::string> warnings() const noexcept { return warnings_; }

 private:
  Authority(crypto::Certificate certificate, std::vector<crypto::Certificate> chain,
            std::unique_ptr<crypto::Signer> signer)
      : certificate_(std::move(certificate)),
        chain_(std::move(chain)),
        signer_(std::move(signer)) {}

  crypto::Certificate certificate_;
  std::vector<crypto::Certificate> chain_;
  std::unique_ptr<crypto::Signer> signer_;
  crypto::Strictness strictness_ = crypto::Strictness::strict;
  std::vector<std::string> warnings_;
};

}  // namespace imprint::authority
