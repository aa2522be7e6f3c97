#pragma once

#include <atomic>
#include <optional>

#include "imprint/crypto/certificate.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/verify/verify.hpp"
#include "manifest_record.hpp"
#include "targets.hpp"
#include "trust.hpp"

namespace imprint::verify {

/// What all images of a run are held against. Immutable; outlives the checks.
struct Against {
  const Request& request;
  Trust trust;
  std::optional<ManifestRecord> manifest;
  std::optional<image::FileImage> golden;
  const std::atomic<bool>& stop;
};

/// An image's verdict, and its certificate for comparing images with each other.
struct Judged {
  ImageVerdict verdict;
  std::optional<crypto::Certificate> certificate;
  /// Why it could not be opened, where that was so.
  std::optional<Code> trouble = std::nullopt;
};

/// Opens one image and makes all checks that need no other image. Safe from several threads.
[[nodiscard]] Judged judge_image(const Target& target, const Against& against);

}  // namespace imprint::verify
