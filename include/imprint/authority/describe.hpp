#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"

namespace imprint::authority {

/// What can be said of a CA without its key.
struct CaDescription {
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> chain;  ///< above it, its issuer first
  std::string key;                         ///< where the key is: path, token URI, or program
  std::string key_state;  ///< `encrypted`, `not encrypted`, `in a token`, `behind a command`, or
                          ///< what is wrong with the file
  std::vector<std::string> problems;  ///< why it cannot issue, one line each
  std::vector<std::string> warnings;
};

/// The CA's certificate, for what can be done without its key. Errors name the file.
[[nodiscard]] Result<crypto::Certificate> read_ca_certificate(const AuthoritySource& source);

/// Reads the certificate files; asks for no passphrase and opens no token.
[[nodiscard]] Result<CaDescription> describe(const AuthoritySource& source, TimePoint now);

}  // namespace imprint::authority
