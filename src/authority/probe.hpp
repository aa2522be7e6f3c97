#pragma once

#include <span>

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

/// The same up to the last of the certificates above the CA, `above`, which has its issuer first.
[[nodiscard]] Result<> verify_probe(const crypto::Certificate& ca, const crypto::Signer& signer,
                                    TimePoint now, crypto::Strictness strictness,
                                    std::span<const crypto::Certificate> above);

}  // namespace imprint::authority
