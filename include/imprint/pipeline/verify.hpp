#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/image/decompress.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/pipeline/engine.hpp"

namespace imprint::pipeline {

/// One thing that was looked at in an image.
struct Check {
  std::string name;  ///< stable word for machines: "partitions", "file-systems", "configuration",
                     ///< "key", ...
  bool passed = false;
  std::string detail;  ///< what was found, or what is wrong
};

struct ImageVerdict {
  fs::path image;
  std::vector<Check> checks;
  std::string certificate_subject;  ///< empty when no certificate could be read
  std::string certificate_sha256;
  std::string serial_hex;

  [[nodiscard]] bool passed() const noexcept;
};

struct VerifyRequest {
  /// Certificates a device certificate must chain to; empty: the chain is not checked (and the
  /// verdict says so).
  std::vector<crypto::Certificate> trusted;
  TimePoint at;
  image::LayoutChoice layout = {};  ///< of all images
  EngineChoice engine = {};
  image::Unpacking unpacking = {};  ///< for compressed images; no directory: temporary_directory()
};

/// Proves that an image carries an identity that its client will use: partition table and file
/// systems sound, effective mender.conf of every populated rootfs names a key and a certificate
/// that are there with the right mode and owner and belong together, the chain leads to a trusted
/// CA, valid at the time asked. Never fails as a whole: what cannot be read is a failed check.
[[nodiscard]] ImageVerdict verify_image(const fs::path& image, const VerifyRequest& request);

}  // namespace imprint::pipeline
