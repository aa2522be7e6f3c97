#pragma once

#include <cstdint>
#include <vector>

#include "conf_entries.hpp"
#include "imprint/base/result.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::pipeline {

/// Content sizes the placeholders are made for.
struct NominalSizes {
  std::uint64_t key_bytes = 0;
  std::uint64_t certificate_bytes = 0;
  std::vector<std::uint64_t> text_bytes;  ///< of the manifest's per-device files, in order
};

/// What a manifest does to an image, `entries` being what its `mender_conf` has come to. Device
/// files: the key, the certificate, then the per-device texts in the manifest's order. Reads the
/// host files that the manifest names. Two entries for one device path are Code::invalid_input.
[[nodiscard]] Result<golden::Recipe> make_recipe(const manifest::Manifest& manifest,
                                                 const NominalSizes& sizes,
                                                 const ConfEntries& entries, bool replace_identity);

}  // namespace imprint::pipeline
