#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <p11-kit/uri.h>
#include <string>
#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::authority {

struct UriFree {
  void operator()(P11KitUri* uri) const noexcept { p11_kit_uri_free(uri); }
};

/// A PKCS#11 URI that has passed check_token_uri.
struct ParsedUri {
  std::unique_ptr<P11KitUri, UriFree> native;
  std::optional<std::filesystem::path> pin_file;  ///< of its `pin-source`
};

[[nodiscard]] Result<ParsedUri> parse_token_uri(std::string_view text);

}  // namespace imprint::authority
