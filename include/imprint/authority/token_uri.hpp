#pragma once

#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::authority {

/// Whether a key's name is meant as a PKCS#11 URI (`pkcs11:`, in any case) and not as a path.
[[nodiscard]] bool is_token_uri(std::string_view text) noexcept;

/// Whether a PKCS#11 URI (RFC 7512) can name a CA's private key: it parses, has no attribute that
/// nobody knows, asks for no other type than a private key, holds no `pin-value` (the error does
/// not repeat it), and its `pin-source` is the absolute path of a file. Looks at no token.
[[nodiscard]] Result<> check_token_uri(std::string_view uri);

}  // namespace imprint::authority
