#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/crypto/certificate.hpp"

namespace imprint::authority {

inline constexpr std::size_t kMaxCaFileBytes = std::size_t{1} << 20;

/// What stands in a CA's certificate files.
struct CaFiles {
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> chain;  ///< above it, its issuer first
  std::vector<std::string> warnings;       ///< one line each: allowed, but not as it should be
};

/// Reads certificate and chain. Errors name the file.
[[nodiscard]] Result<CaFiles> read_ca_files(const AuthoritySource& source);

/// What to do when the key is not that of the first certificate in the CA's file; `has_signed` says
/// whose it is.
[[nodiscard]] std::string advice_for_stranger(
    const AuthoritySource& source,
    const std::function<bool(const crypto::Certificate&)>& has_signed);

}  // namespace imprint::authority
