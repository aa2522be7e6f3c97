#pragma once

#include <cstddef>

namespace imprint::crypto {

/// Size of the locked arena. A P-256 key at rest takes 32 bytes of it, a device's PEM 256: room for
/// thousands.
inline constexpr std::size_t kSecureHeapBytes = std::size_t{4} << 20;
inline constexpr std::size_t kSecureHeapSmallestBlock = 32;

}  // namespace imprint::crypto
