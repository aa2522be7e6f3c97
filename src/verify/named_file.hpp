#pragma once

#include <cstdint>
#include <string>

#include "findings.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/image/tree.hpp"

namespace imprint::verify {

/// A file of the image that a configuration names.
struct NamedFile {
  image::DeviceTree::Location location;
  crypto::WipedBytes content;
};

/// Finds and reads it. The error's text is a whole reason: `HttpsClient.Key names '/x', which is
/// not in the image`.
[[nodiscard]] Result<NamedFile> read_named_file(image::DeviceTree& tree, std::string_view setting,
                                                const std::string& path);

/// Mode and owner 0:0, where the file system has such. An error says both what is and what should
/// be.
[[nodiscard]] Result<> check_mode(const NamedFile& file, const std::string& path, unsigned mode);

}  // namespace imprint::verify
