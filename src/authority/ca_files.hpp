#pragma once

#include <cstddef>
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

}  // namespace imprint::authority
