#pragma once

#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/signer.hpp"

namespace imprint::authority {

/// Issues a certificate that nobody gets, to see whether those of this CA will verify at `now`.
/// Whatever is wrong with the CA that a verifier would mind shows here, before the first device.
[[nodiscard]] Result<> verify_probe(const crypto::Certificate& ca, const crypto::Signer& signer,
                                    TimePoint now, crypto::Strictness strictness);

}  // namespace imprint::authority
