#pragma once

#include <string>
#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"

/// The little of YAML that the deployment texts need.
namespace imprint::server::yaml {

/// A double-quoted scalar (JSON's strings are YAML's). Code::invalid_input for what is no UTF-8.
[[nodiscard]] Result<std::string> text(std::string_view value);

/// Appends `key: |` and the lines of `content` below it, indented: as they are, with their line
/// ends. `indent` is the key's.
void append_block(crypto::SecretBytes& into, unsigned indent, std::string_view key,
                  ByteView content);

void append(crypto::SecretBytes& into, std::string_view plain);

/// The text below a comment that says who made it, and its own SHA-256: whether somebody has
/// changed it can be told.
[[nodiscard]] crypto::SecretBytes sealed(const crypto::SecretBytes& body);
[[nodiscard]] bool is_sealed(ByteView text);

}  // namespace imprint::server::yaml
