#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/clock.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/file_system.hpp"

namespace imprint::files {

/// What somebody has asked a file to get, beyond its content. What was not asked for is kept of a
/// file that is replaced, and is by rule for a new one.
struct Wanted {
  std::optional<unsigned> mode = std::nullopt;
  std::optional<unsigned> uid = std::nullopt;
  std::optional<unsigned> gid = std::nullopt;
  std::optional<TimePoint> modified = std::nullopt;
  std::vector<image::ExtendedAttribute> extended_attributes = {};
  /// They were taken from a source (cp -p): where a file system has no place for them, they are
  /// left out.
  bool as_far_as_possible = false;

  /// `--owner`, `--xattr` and the like, which FAT has no place for.
  [[nodiscard]] bool needs_owners() const noexcept {
    return uid || gid || !extended_attributes.empty();
  }
};

/// Octal, with or without a leading zero: 600 and 0600 are the same mode.
[[nodiscard]] Result<unsigned> parse_mode(std::string_view text);

/// `UID`, `UID:GID` or `:GID`, by number: names are the image's affair, not this machine's.
struct Owner {
  std::optional<unsigned> uid;
  std::optional<unsigned> gid;
};

[[nodiscard]] Result<Owner> parse_owner(std::string_view text);

/// `NAME=VALUE`, the value as text or as `0x…` in hex.
[[nodiscard]] Result<image::ExtendedAttribute> parse_extended_attribute(std::string_view text);

}  // namespace imprint::files
