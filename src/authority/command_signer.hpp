#pragma once

#include <memory>

#include "imprint/authority/authority.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/signer.hpp"

namespace imprint::authority {

/// A signer that asks a program (docs/signers.md has the protocol). Each clone has a process of its
/// own, started with its first signature. Every signature is verified against `ca` before it is
/// given to anybody.
[[nodiscard]] Result<std::unique_ptr<crypto::Signer>> make_command_signer(
    const CommandKey& key, const crypto::Certificate& ca);

}  // namespace imprint::authority
