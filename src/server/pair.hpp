#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/crypto/certificate.hpp"
#include "imprint/server/layout.hpp"

namespace imprint::server {

/// A key and its certificate as they stand in a folder.
struct Pair {
  fs::path certificate_file;
  std::vector<crypto::Certificate> certificates;  ///< its own first, then the CAs behind it

  [[nodiscard]] const crypto::Certificate& own() const { return certificates.front(); }
};

/// Reads both and refuses a key that is not the certificate's.
[[nodiscard]] Result<Pair> read_pair(const fs::path& folder);

/// How far a rotation of the certificates is.
enum class Progress { steady, begun, switched };

[[nodiscard]] std::string_view word(Progress progress) noexcept;

/// By the folders `next` and `old` below each certificate of the tree. Refuses a tree in which they
/// do not agree: no step leaves it so.
[[nodiscard]] Result<Progress> progress_of(const fs::path& directory, Layout layout);

/// The pairs of a tree, those in `below` each certificate's folder (empty: in the folder itself).
[[nodiscard]] Result<std::vector<Pair>> read_pairs(const fs::path& directory, Layout layout,
                                                   std::string_view below);

/// What clients have been told to trust: the certificates of server.crt. A tree without that file,
/// as Mender's own keygen makes it, trusts the self-signed certificates themselves.
[[nodiscard]] Result<std::vector<crypto::Certificate>> read_trust(const fs::path& directory,
                                                                  Layout layout);

/// Those of `trusted` that clients need for these pairs: the certificates themselves, what has
/// issued them, and what is above that.
[[nodiscard]] std::vector<crypto::Certificate> trust_for(
    std::span<const crypto::Certificate> trusted, std::span<const Pair> pairs);

/// `'imprint keygen rotate --switch'`: the command for a later step, for messages.
[[nodiscard]] std::string rotate_command(const fs::path& directory, std::string_view step);

}  // namespace imprint::server
