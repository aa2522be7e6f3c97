#pragma once

#include <vector>

#include "configuration.hpp"
#include "findings.hpp"
#include "imprint/base/clock.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// What the device trusts: the files that ServerCertificate and ArtifactVerifyKey(s) name are there
/// and hold certificates that are valid at a time, or public keys. What no configuration names is
/// no check.
void check_trust_files(OpenImage& image, std::vector<Client>& clients, TimePoint at,
                       Findings& findings);

}  // namespace imprint::verify
