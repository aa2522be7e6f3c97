#pragma once

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/signer.hpp"

namespace imprint::authority {

/// What a PKCS#11 token gives for an ECDSA signature, r and s of the curve's size one after the
/// other, in the form that X.509 wants: SEQUENCE { INTEGER r, INTEGER s } in DER. Returns the
/// length written into `der`. Code::crypto for another length, and for r or s that are 0 or not
/// below the curve's order: no verifier would accept those.
[[nodiscard]] Result<std::size_t> encode_ecdsa_signature(crypto::SignatureAlgorithm algorithm,
                                                         ByteView r_and_s, MutableBytes der);

}  // namespace imprint::authority
