#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/volume.hpp"

namespace imprint::golden {

/// A file that is the same on all devices. Paths are the device's (`/etc/mender/server.crt`,
/// `/data/wifi/conf`).
struct SharedFile {
  std::string path;
  Bytes content;
  image::Attributes attributes;
  std::vector<image::ExtendedAttribute> extended_attributes = {};
};

/// A file whose new content depends on the present one (mender.conf). Mode, owner and extended
/// attributes of an existing file are kept.
struct MergedFile {
  std::string path;
  /// `existing` is none when there is no such file; the error is passed on with the path added.
  /// Called once for each copy, while the golden image is built; variants reuse what it gave.
  std::function<Result<std::string>(std::optional<std::string_view> existing)> merge;
  /// Missing in the first rootfs (or on the data partition): an error when true, else made anew
  /// with `attributes_if_new`.
  bool must_exist = false;
  image::Attributes attributes_if_new;
};

/// A file with a content of its own on every device: the golden image holds a placeholder.
struct DeviceFile {
  std::string path;
  image::Attributes attributes;
  /// Content size the placeholder is made for; devices that need another number of blocks get a
  /// variant.
  std::uint64_t nominal_bytes = 0;
  /// An existing file of that name: replaced when true, else Code::exists (inject without --force).
  bool replace = true;
  std::vector<image::ExtendedAttribute> extended_attributes = {};
};

/// Everything that is done to a base image. Rootfs paths are applied to A and, where it is
/// populated, to B; a path that leads to the same place from both (the data partition) is applied
/// once. A merge may build on a shared file of the same path; any other two entries that lead to
/// one file are an error.
struct Recipe {
  std::vector<SharedFile> files;
  std::vector<MergedFile> merges;
  std::vector<DeviceFile> device_files;
};

}  // namespace imprint::golden
