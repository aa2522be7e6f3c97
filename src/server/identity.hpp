#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "imprint/crypto/secret.hpp"
#include "imprint/pipeline/issue.hpp"
#include "imprint/server/keygen.hpp"

namespace imprint::server {

/// A new key and its certificate, in no file yet.
struct NewIdentity {
  crypto::Certificate certificate;
  crypto::SecretBytes key_pem;
  std::string certificate_pem;             ///< followed by the CAs between it and its root
  std::vector<crypto::Certificate> trust;  ///< what a client has to trust
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
  std::optional<pipeline::ServerIdentity> issued;  ///< by a CA: its ledger waits for the outcome
};

/// Makes them, of one kind: each self-signed, or all signed by one CA.
class IdentityMaker {
 public:
  struct Options {
    std::optional<CaChoice> ca;
    std::uint32_t days = kDefaultDays;
    std::string command;  ///< for the ledger
  };

  /// Opens the CA, and asks for its passphrase when it has one.
  static Result<IdentityMaker> open(Options options, const Clock& clock);

  [[nodiscard]] Result<NewIdentity> make(const ServerNames& names) const;

 private:
  IdentityMaker(Options options, const Clock& clock)
      : options_(std::move(options)),
        clock_(clock) {}

  [[nodiscard]] Result<NewIdentity> self_signed(const ServerNames& names) const;
  [[nodiscard]] Result<NewIdentity> signed_by_ca(const ServerNames& names) const;

  Options options_;
  std::optional<authority::Authority> authority_;
  const Clock& clock_;
};

/// Whether the end is one that certificates can name.
[[nodiscard]] Result<> check_days(std::uint32_t days, TimePoint now);

/// Tells the ledger, where there is one, that the certificates are in these files.
[[nodiscard]] Result<> record_placed(std::span<NewIdentity> identities,
                                     std::span<const fs::path> files, const Clock& clock);

/// Tells the ledger that they are in none. The error to go on with.
[[nodiscard]] Error record_failed(std::span<NewIdentity> identities, Error why, const Clock& clock);

/// PEM of these, each once.
[[nodiscard]] std::string trust_pem(std::span<const crypto::Certificate> certificates);

}  // namespace imprint::server
