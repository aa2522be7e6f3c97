#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"

namespace imprint {

/// RFC 4648 with padding, in one line. Not for secrets: which entries of its table are touched
/// shows.
[[nodiscard]] std::string to_base64(ByteView bytes);

/// The bytes; none unless the text is exactly what to_base64 would make of them.
[[nodiscard]] std::optional<Bytes> from_base64(std::string_view text);

}  // namespace imprint
