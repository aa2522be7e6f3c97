#pragma once

#include <filesystem>

#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::devauth {

/// A bearer token of the management API: a session's JWT or a personal access token.
struct Token {
  crypto::SecretBytes text;
  bool readable_by_others = false;  ///< its file, by group or others: worth a warning
};

/// Reads a small regular file, less one trailing line end. Code::invalid_input for what no token
/// can be (empty, over 16 KiB, characters other than those of RFC 6750); messages name the file and
/// the place, never the content.
[[nodiscard]] Result<Token> read_token(const std::filesystem::path& path);

}  // namespace imprint::devauth
