#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "imprint/authority/authority.hpp"
#include "imprint/authority/passphrase.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/crypto/signer.hpp"

namespace imprint::authority {

/// A signer with a key in a PKCS#11 token. Each clone has a session of its own. `ca` says which
/// algorithm the key is for; whether it is that certificate's key, a probe signature has to show.
[[nodiscard]] Result<std::unique_ptr<crypto::Signer>> make_token_signer(
    const TokenKey& key, const std::optional<PassphraseSource>& pin, const crypto::Certificate& ca,
    std::vector<std::string>& warnings);

}  // namespace imprint::authority
