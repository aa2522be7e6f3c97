#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/server/deployment.hpp"

namespace imprint::server {

namespace {

/// `3.7`, and also `3.7.4`; on the third part nothing depends. A `3` could be either layout, but
/// what comes after 3 is clear without a second part.
std::optional<std::pair<unsigned, unsigned>> parse(std::string_view text) {
  std::pair<unsigned, unsigned> version{0, 0};
  unsigned patch = 0;
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  for (unsigned* part : {&version.first, &version.second, &patch}) {
    const auto [next, error] = std::from_chars(at, end, *part);
    if (error != std::errc()) return std::nullopt;
    if (next == end && part == &version.first && version.first < 4) return std::nullopt;
    if (next == end) return version;
    if (*next != '.') return std::nullopt;
    at = next + 1;
  }
  return std::nullopt;
}

}  // namespace

Result<ServerVersion> parse_server_version(std::string_view text) {
  const auto version = parse(text);
  if (!version || version->first == 0) {
    return fail(
        Code::invalid_input,
        fmt::format("{} is no version of a Mender server; write it like 3.7 or 4.0", quoted(text)));
  }
  if (*version >= std::pair(4U, 0U)) return ServerVersion::v4;
  if (*version >= std::pair(3U, 1U)) return ServerVersion::v3_1;
  if (*version >= std::pair(3U, 0U)) return ServerVersion::v3_0;
  if (*version >= std::pair(2U, 7U)) return ServerVersion::v2_7;
  return ServerVersion::v1;
}

}  // namespace imprint::server
