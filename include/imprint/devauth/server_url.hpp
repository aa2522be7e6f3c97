#pragma once

#include <string>
#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::devauth {

/// Where a Mender server's management API is: `https://HOST[:PORT][/PREFIX]`. Plain HTTP is refused
/// except to this machine itself (`127.*`, `[::1]`, `localhost`): a token goes with every request.
class ServerUrl {
 public:
  /// Read by libcurl's own parser, so that what is checked is what is connected to. Errors
  /// (Code::invalid_input) say what to give instead; a password in the URL is not repeated.
  static Result<ServerUrl> parse(std::string_view text);

  /// Normalised: the same server gives the same text, which is what the ledger records. No slash at
  /// its end.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  [[nodiscard]] bool is_plain_http() const noexcept { return plain_http_; }

 private:
  ServerUrl(std::string text, bool plain_http) : text_(std::move(text)), plain_http_(plain_http) {}

  std::string text_;
  bool plain_http_ = false;
};

}  // namespace imprint::devauth
