#pragma once

#include <vector>

#include "imprint/crypto/certificate.hpp"

namespace imprint::authority {

/// The certificates above `ca`, its issuer first, as far as they are among `candidates`, whose
/// order does not matter. Ends with a self-signed one, or where no issuer is found.
[[nodiscard]] std::vector<crypto::Certificate> chain_above(
    const crypto::Certificate& ca, const std::vector<crypto::Certificate>& candidates);

}  // namespace imprint::authority
