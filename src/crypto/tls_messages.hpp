#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "imprint/base/bytes.hpp"

namespace imprint::crypto {

/// The certificates (DER) in a handshake message of type Certificate, header included. With TLS 1.3
/// (RFC 8446, 4.4.2) a context goes before them, and extensions follow each; before it (RFC 5246,
/// 7.4.2) neither. What does not fit is left out.
[[nodiscard]] std::vector<ByteView> certificates_of_message(ByteView message, bool tls_1_3);

/// The alert (RFC 8446, 6) that ends a connection in disorder: none for a farewell or a warning.
[[nodiscard]] std::optional<std::uint8_t> fatal_alert(ByteView message);

}  // namespace imprint::crypto
