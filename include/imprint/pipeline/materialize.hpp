#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/golden/store.hpp"
#include "imprint/image/decompress.hpp"

namespace imprint::pipeline {

struct MaterializeRequest {
  fs::path store;
  std::string id;
  fs::path output;                  ///< a file, or a directory: then the store's file name in it
  std::optional<fs::path> base;     ///< where the base image is now; none: where the batch found it
  bool force = false;               ///< overwrite an existing output
  image::Unpacking unpacking = {};  ///< for a compressed base; no directory: the output's
};

struct MaterializeReport {
  fs::path image;
  std::optional<fs::path> bmap;
  std::string id;
};

/// The image that a store's overlays lie over: `base`, else where the batch found it. One of other
/// content is Code::invalid_input, with both digests.
[[nodiscard]] Result<image::FileImage> open_store_base(const fs::path& store,
                                                       const golden::StoreHeader& header,
                                                       const std::optional<fs::path>& base,
                                                       const image::Unpacking& unpacking);

/// Makes the image of one device from an overlay store, byte-identical to what the image sink
/// writes.
Result<MaterializeReport> materialize(const MaterializeRequest& request);

}  // namespace imprint::pipeline
