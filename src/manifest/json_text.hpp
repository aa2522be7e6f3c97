#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "imprint/base/result.hpp"

namespace imprint::manifest {

/// The reason in one of nlohmann's messages, without its class, place and the text it read last
/// (which may be a secret): "while parsing object key - unexpected '}'; expected string literal".
[[nodiscard]] std::string json_reason(std::string_view exception_text);

/// `line 3, column 9` of the byte before `position`, which is where nlohmann's positions point.
[[nodiscard]] std::string json_place(std::string_view text, std::size_t position);

/// A reference token for a JSON pointer: `/` and `~` escaped (RFC 6901).
[[nodiscard]] std::string pointer_token(std::string_view key);

/// A whole manifest as JSON. Refuses what a person cannot have meant: a key twice in one object,
/// nesting beyond 64 levels. Keys keep their order. Errors begin with `line L, column C: `.
Result<nlohmann::ordered_json> parse_json(std::string_view text);

}  // namespace imprint::manifest
