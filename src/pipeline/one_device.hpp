#pragma once

#include <string>
#include <utility>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/manifest/manifest.hpp"
#include "imprint/pipeline/inject.hpp"

namespace imprint::pipeline {

/// The manifest that an inject stands for: the given one with the flags over it, or the built-in
/// one (subject `CN={id}`, P-256, 3650 days, mender.conf in the rootfs).
[[nodiscard]] Result<manifest::Manifest> inject_manifest(const InjectRequest& request);

/// A device's expanded templates.
struct OneDevice {
  std::vector<std::string> slots;
  std::vector<std::string> texts;
  std::string identity_data;  ///< for the ledger: a JSON object, empty for none
};

/// Expands and checks the manifest's templates for one device with these variables.
[[nodiscard]] Result<OneDevice> expand_one(
    const manifest::Manifest& manifest, const std::string& id,
    const std::vector<std::pair<std::string, std::string>>& variables);

/// A file that holds a secret, read without a copy in ordinary memory.
[[nodiscard]] Result<crypto::SecretBytes> read_secret_file(const fs::path& path,
                                                           std::uint64_t limit_bytes);

}  // namespace imprint::pipeline
