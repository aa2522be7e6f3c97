#include "endpoint.hpp"

#include <charconv>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/manifest/server_url.hpp"

namespace imprint::handshake {

namespace {

constexpr std::string_view kSecure = "https://";

/// Of what check_server_url has let pass.
Endpoint split(std::string_view text) {
  Endpoint endpoint;
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : text.find(':');
  endpoint.host = text.substr(bracketed ? 1 : 0, end - (bracketed ? 1 : 0));
  const std::size_t colon = text.find(':', bracketed ? end : 0);
  if (colon == std::string_view::npos) return endpoint;
  const std::string_view port = text.substr(colon + 1);
  std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  return endpoint;
}

}  // namespace

std::string Endpoint::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<Endpoint> parse_edge(std::string_view text) {
  if (text.find('/') != std::string_view::npos) {
    return fail(Code::invalid_input,
                fmt::format("{} is a URL; give HOST:PORT alone", quoted(text)));
  }
  IMPRINT_TRY(
      manifest::check_server_url(std::string(kSecure) + std::string(text)).context(quoted(text)));
  return split(text);
}

Result<std::string> parse_server_name(std::string_view text) {
  const std::size_t colon = text.find(':');
  const bool bracketed = text.starts_with('[');
  const bool is_address = bracketed || colon != text.rfind(':');
  if (bracketed ? text.find("]:") != std::string_view::npos
                : colon != std::string_view::npos && !is_address) {
    return fail(Code::invalid_input,
                fmt::format("{} has a port; give the name alone", quoted(text)));
  }
  const bool bare = is_address && !bracketed;
  const Endpoint endpoint =
      IMPRINT_TRY(parse_edge(bare ? fmt::format("[{}]", text) : std::string(text)));
  return endpoint.host;
}

Result<Endpoint> endpoint_of_url(std::string_view url) {
  IMPRINT_TRY(manifest::check_server_url(url));
  if (!url.starts_with(kSecure)) {
    return fail(
        Code::invalid_input,
        "it is http://, so that the client shows no certificate; set https:// in mender.conf");
  }
  const std::string_view rest = url.substr(kSecure.size());
  return split(rest.substr(0, rest.find('/')));
}

}  // namespace imprint::handshake
