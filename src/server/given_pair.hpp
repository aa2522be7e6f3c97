#pragma once

#include <string>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::server {

/// A server's certificate and key that somebody else made.
struct GivenPair {
  crypto::Certificate certificate;
  std::string chain_pem;    ///< it and what follows it in its file
  crypto::SecretBytes key;  ///< PEM, as its file has it
};

/// Reads and judges them: they belong together, the certificate is a server's, not a CA's, and
/// has not expired, the key is not encrypted. Warns of a certificate that ends within 90 days or
/// has no name. Errors name the flag (`--cert`, `--key`) and the file.
[[nodiscard]] Result<GivenPair> read_given_pair(const fs::path& certificate, const fs::path& key,
                                                TimePoint now, std::vector<std::string>& warnings);

}  // namespace imprint::server
