#pragma once

#include <atomic>
#include <map>
#include <set>

#include "imprint/base/file.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/server/deployment.hpp"

namespace imprint::server {

inline constexpr unsigned kPrivateMode = 0600;
inline constexpr unsigned kPublicMode = 0644;
/// Of the folders that keygen makes.
inline constexpr unsigned kFolderMode = 0700;

/// A file that is to be written.
struct PlannedFile {
  crypto::SecretBytes content;
  unsigned mode = kPrivateMode;
};

/// Files by their paths below the folder of keys.
using PlannedFiles = std::map<fs::path, PlannedFile>;

void plan_public(PlannedFiles& files, const fs::path& file, std::string_view content);
void plan_private(PlannedFiles& files, const fs::path& file, crypto::SecretBytes content);

/// Reads what is planned, and from `directory` what is not.
[[nodiscard]] ReadFile reader_of(const PlannedFiles& files, const fs::path& directory);

/// The same of the disk alone.
[[nodiscard]] ReadFile reader_of(const fs::path& directory);

/// Adds the deployment texts. Those with private keys are private.
[[nodiscard]] Result<> plan_texts(PlannedFiles& files, const Deployment& deployment,
                                  ServerVersion version);

/// Whether there is a file, folder or link of this name. What cannot be looked at is not missing.
[[nodiscard]] Result<bool> is_there(const fs::path& path);

/// Code::cancelled when it is there and set.
[[nodiscard]] Result<> check_stop(const std::atomic<bool>* stop);

/// A private file's whole content, in wiped memory.
[[nodiscard]] Result<crypto::SecretBytes> read_secret(const fs::path& path);

}  // namespace imprint::server
