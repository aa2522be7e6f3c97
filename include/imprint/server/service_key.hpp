#pragma once

#include <string_view>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::server {

/// The kinds of key that the Mender server signs its tokens with: `rsa:3072` (also `rsa:2048`,
/// `rsa:4096`), which every version takes, and `ed25519`, which those from 4.0 on take. The error
/// names them.
[[nodiscard]] Result<crypto::KeyKind> parse_service_key_kind(std::string_view word);

/// A service's key as its file holds it. RSA is PKCS#1 (`RSA PRIVATE KEY`), since services before
/// 4.0 read nothing else; Ed25519 has no other form than PKCS#8.
[[nodiscard]] Result<crypto::SecretBytes> service_key_pem(const crypto::PrivateKey& key);

/// The kind of a key in its file, which is read as the services do. Refuses other kinds.
[[nodiscard]] Result<crypto::KeyKind> service_key_kind_in(const fs::path& path);

}  // namespace imprint::server
