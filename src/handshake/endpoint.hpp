#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "imprint/base/result.hpp"

namespace imprint::handshake {

/// Where a server is.
struct Endpoint {
  std::string host;  ///< an IPv6 address without brackets
  std::uint16_t port = 443;

  /// `mtls.example.com:443`, `[::1]:443`
  [[nodiscard]] std::string text() const;
};

/// `HOST`, `HOST:PORT`, `[IPV6]:PORT`. Code::invalid_input for anything else, URLs among it.
[[nodiscard]] Result<Endpoint> parse_edge(std::string_view text);

/// A host name, or an IP address with or without brackets.
[[nodiscard]] Result<std::string> parse_server_name(std::string_view text);

/// A client's server URL. Code::invalid_input for one without TLS, too.
[[nodiscard]] Result<Endpoint> endpoint_of_url(std::string_view url);

}  // namespace imprint::handshake
