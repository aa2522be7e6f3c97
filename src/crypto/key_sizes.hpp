#pragma once

#include <cstddef>

#include "imprint/crypto/key.hpp"

namespace imprint::crypto {

struct KeySizes {
  std::size_t pkcs8;
  std::size_t public_key_info;
};

/// DER sizes that no key of this kind exceeds, by its structure in RFC 8017, RFC 5915 and RFC 8410.
/// Exact but for RSA.
[[nodiscard]] KeySizes max_key_sizes(KeyKind kind) noexcept;

}  // namespace imprint::crypto
