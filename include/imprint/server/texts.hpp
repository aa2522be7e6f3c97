#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/server/deployment.hpp"
#include "imprint/server/tree.hpp"

/// The deployment texts of a tree that is there.
namespace imprint::server {

enum class Text { compose, helm, secrets };

/// `compose`, `helm`, `secrets`.
[[nodiscard]] Result<Text> parse_text(std::string_view word);
[[nodiscard]] std::string_view file_of(Text text) noexcept;

/// What the text has to say. Code::not_found for secrets that the values do not need.
[[nodiscard]] Result<crypto::SecretBytes> text_of_tree(const Deployment& tree, Text text,
                                                       ServerVersion version);

/// The servers that the file for docker-compose in the tree is for; none: there is no such file, or
/// it does not say.
[[nodiscard]] std::optional<ServerVersion> compose_version(const Deployment& tree);

/// Brings the texts beside the keys up to date: each on its own, whole. One that somebody has
/// edited stays, and one that was taken away; a warning says so of the former. The file for
/// docker-compose stays for the servers that it was for.
[[nodiscard]] Result<std::vector<std::string>> refresh_texts(const Deployment& tree);

}  // namespace imprint::server
