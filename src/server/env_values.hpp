#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "imprint/crypto/secret.hpp"

namespace imprint::server {

/// What a file of variables (`NAME=value` to the end of the line, as docker reads it) says of one:
/// the last value that is not empty; empty when there is none. Points into the file.
[[nodiscard]] std::string_view env_value(ByteView file, std::string_view name);

/// `text` with the values that `before` has for those of its variables that are empty in it; `kept`
/// gets their names.
[[nodiscard]] crypto::SecretBytes with_filled_in(std::string_view text, ByteView before,
                                                 std::vector<std::string>& kept);

}  // namespace imprint::server
