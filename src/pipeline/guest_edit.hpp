#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "check_conf.hpp"
#include "imprint/base/file.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/guestfs/appliance.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/manifest/manifest.hpp"
#include "imprint/pipeline/engine.hpp"

namespace imprint::pipeline {

/// Whether this image goes through the appliance.
[[nodiscard]] bool uses_appliance(const EngineChoice& choice, const image::Layout& layout);

/// What an edit through the appliance has to tell.
struct GuestFindings {
  std::optional<crypto::Certificate> replaced;
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// Applies the recipe to one drive of a running appliance, and looks at everything through another
/// mount. The image is complete when this returns, but not synced.
[[nodiscard]] Result<GuestFindings> edit_drive(guestfs::Appliance& appliance, std::size_t drive,
                                               const image::Layout& layout,
                                               const WantedConf& wanted, golden::Recipe recipe,
                                               std::span<const ByteView> contents);

struct GuestEditRequest {
  const image::FileImage& image;
  const image::Layout& layout;
  WantedConf wanted;
  fs::path target;  ///< where the result is to appear
  unsigned mode = 0600;
};

/// The new image, checked and synced, and what is to be told about it.
struct GuestEdit {
  NewFile copy;
  fs::path target;
  GuestFindings findings;
};

/// Copies the image beside its target and applies the recipe to the copy in an appliance; then
/// looks at everything through another mount. The image itself is only read. On failure nothing is
/// left.
[[nodiscard]] Result<GuestEdit> edit_through_guest(const GuestEditRequest& request,
                                                   golden::Recipe recipe,
                                                   std::span<const ByteView> contents,
                                                   const EngineChoice& choice);

}  // namespace imprint::pipeline
