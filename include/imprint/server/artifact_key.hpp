#pragma once

#include <string_view>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::server {

/// The kinds of key that Mender Artifacts are signed with: `rsa:3072` (also `rsa:2048`,
/// `rsa:4096`) and `ec:P-256`. The error names them.
[[nodiscard]] Result<crypto::KeyKind> parse_artifact_key_kind(std::string_view word);

struct ArtifactKeyRequest {
  fs::path directory = ".";  ///< made when missing
  crypto::KeyKind kind = crypto::KeyKind::rsa_3072;
  bool replace = false;
};

struct ArtifactKeyFiles {
  fs::path private_key;  ///< 0600; for `mender-artifact write -k`
  fs::path public_key;   ///< 0644; for the devices: ArtifactVerifyKey
};

/// Makes the pair that signs Artifacts: `artifact-private.key` and `artifact-public.key`, both or
/// none. What is there is Code::exists unless it is to be replaced.
[[nodiscard]] Result<ArtifactKeyFiles> make_artifact_key(const ArtifactKeyRequest& request);

}  // namespace imprint::server
