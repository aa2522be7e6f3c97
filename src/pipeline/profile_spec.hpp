#pragma once

#include "imprint/crypto/mint.hpp"
#include "imprint/manifest/manifest.hpp"

namespace imprint::pipeline {

/// The certificate profile a manifest describes; its templates with variables become slots, in the
/// order of manifest::DevicePlan::slots.
[[nodiscard]] crypto::ProfileSpec profile_spec(const manifest::IdentitySpec& identity,
                                               TimePoint not_before, TimePoint not_after);

}  // namespace imprint::pipeline
