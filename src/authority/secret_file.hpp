#pragma once

#include <filesystem>

#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::authority {

struct SecretFile {
  crypto::SecretBytes content;
  bool readable_by_others = false;  ///< by group or others
};

/// Whole content of a small regular file, straight into secret memory. Errors name the path.
[[nodiscard]] Result<SecretFile> read_secret_file(const std::filesystem::path& path,
                                                  std::size_t limit_bytes);

/// Everything a descriptor gives until its end.
[[nodiscard]] Result<crypto::SecretBytes> read_secret_descriptor(int descriptor,
                                                                 std::size_t limit_bytes);

}  // namespace imprint::authority
