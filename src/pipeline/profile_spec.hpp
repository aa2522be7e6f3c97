#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "imprint/authority/authority.hpp"
#include "imprint/authority/validity.hpp"
#include "imprint/base/file.hpp"
#include "imprint/crypto/mint.hpp"
#include "imprint/manifest/plan.hpp"

namespace imprint::pipeline {

/// The certificate profile a manifest describes, in the time this CA leaves it.
struct DeviceProfile {
  /// The manifest's templates with variables are slots, in the order of
  /// manifest::DevicePlan::slots.
  crypto::ProfileSpec spec;
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

/// `manifest_file` names the manifest in errors and warnings; none: it is not the user's.
[[nodiscard]] Result<DeviceProfile> device_profile(const manifest::IdentitySpec& identity,
                                                   const authority::Authority& authority,
                                                   TimePoint now,
                                                   const std::optional<fs::path>& manifest_file);

/// Whether verifiers will accept the devices of this profile, asked before the first key is made: a
/// sample with the first device's values is issued and verified, and when the CA or one above it
/// has nameConstraints, every device's names are held against them. Errors name the row.
[[nodiscard]] Result<> check_names(const crypto::ProfileSpec& spec,
                                   const authority::Authority& authority,
                                   const manifest::DevicePlan& devices,
                                   const manifest::DeviceTable& table);

}  // namespace imprint::pipeline
