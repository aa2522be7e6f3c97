#pragma once

#include "imprint/base/result.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::crypto {

/// Unencrypted PEM in the form that a kind of key had before PKCS#8, which some programs read
/// alone: PKCS#1 (`RSA PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`). Ed25519 has none:
/// Code::unsupported.
[[nodiscard]] Result<SecretBytes> traditional_pem(const PrivateKey& key);

}  // namespace imprint::crypto
