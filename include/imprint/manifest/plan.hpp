#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::manifest {

/// What differs from device to device, tied to the columns of the device table. Immutable;
/// expanding is thread-safe.
struct DevicePlan {
  /// Certificate values in the order in which crypto::ProfileSpec numbers its slots: the subject's
  /// attributes that are not constant, then the SAN's.
  std::vector<BoundTemplate> slots;
  BoundTemplate output_name;

  struct Text {
    std::size_t file = 0;  ///< index into Manifest::files
    BoundTemplate content;
  };

  std::vector<Text> texts;  ///< the files that are per_device()

  struct Datum {
    std::string name;
    BoundTemplate value;
  };

  std::vector<Datum> identity_data;
};

/// Binds the manifest's templates to the table and proves every row: no unknown or empty variable,
/// certificate values that crypto accepts, serial numbers of IDevIDs that differ, output names that
/// are safe, unique (case ignored) and none of imprint's own. After this no row can fail for what
/// it says. Reports the first bad row, with the number of the others: `... (and 12 more rows)`.
[[nodiscard]] Result<DevicePlan> plan_devices(const Manifest& manifest, const DeviceTable& table);

/// Whether a text can be the name of a device's image in the output directory. The message says the
/// rule, not the name.
[[nodiscard]] Result<> check_output_name(std::string_view name);

}  // namespace imprint::manifest
