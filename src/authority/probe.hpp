#pragma once

#include "imprint/authority/authority.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/signer.hpp"

namespace imprint::authority {

/// Issues a certificate that nobody gets, to see whether those of this CA will verify at `now`.
/// Whatever is wrong with the CA that a verifier would mind shows here, before the first device.
[[nodiscard]] Result<> verify_probe(const crypto::Certificate& ca, const crypto::Signer& signer,
                                    TimePoint now, crypto::Strictness strictness);

/// The same for a CA below `parent`, up to the top of the parent's chain.
[[nodiscard]] Result<> verify_probe(const crypto::Certificate& ca, const crypto::Signer& signer,
                                    TimePoint now, crypto::Strictness strictness,
                                    const Authority& parent);

}  // namespace imprint::authority
