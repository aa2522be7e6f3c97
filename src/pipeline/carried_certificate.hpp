#pragma once

#include <span>

#include "imprint/crypto/digest.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/image/file_systems.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::pipeline {

/// Position of the identity's two files in the recipe's device files.
inline constexpr std::size_t kKeyFile = 0;
inline constexpr std::size_t kCertificateFile = 1;

/// Whether an image carries the certificate of this digest, with the private key that belongs to
/// it. Anything unreadable is "no".
[[nodiscard]] bool carries_certificate(const image::ImageReader& image, const image::Layout& layout,
                                       std::span<const golden::DeviceFile> device_files,
                                       const crypto::Sha256Digest& certificate);

/// The same for an image that is open.
[[nodiscard]] bool carries_certificate(std::span<image::FileSystems::Root> roots,
                                       std::span<const golden::DeviceFile> device_files,
                                       const crypto::Sha256Digest& certificate);

}  // namespace imprint::pipeline
