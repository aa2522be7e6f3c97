#pragma once

#include <string>
#include <vector>

#include "imprint/crypto/mint.hpp"

/// What a profile's words mean, before any DER.
namespace imprint::crypto {

/// Its key usages, the defaults included; empty: no keyUsage.
[[nodiscard]] std::vector<KeyUsage> key_usages(const ProfileSpec& spec);

/// The same as bits, as RFC 5280 4.2.1.3 numbers them.
[[nodiscard]] std::vector<int> key_usage_bits(const ProfileSpec& spec);

/// extendedKeyUsage in dotted form.
[[nodiscard]] Result<std::vector<std::string>> purpose_ids(const ProfileSpec& spec);

/// What Profile::compile refuses for what the spec says.
[[nodiscard]] Result<> check_spec(const ProfileSpec& spec);

}  // namespace imprint::crypto
