#include "imprint/manifest/server_url.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/name.hpp"

namespace imprint::manifest {
namespace {

constexpr std::string_view kInsecure = "http://";
constexpr std::string_view kSecure = "https://";

Result<> check_port(std::string_view port) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error == std::errc{} && end == port.data() + port.size() && number >= 1 && number <= 65535)
    return {};
  return fail(Code::invalid_input, fmt::format("{} is no port; 1 to 65535 are", quoted(port)));
}

Result<> check_host(std::string_view host) {
  if (host.empty()) return fail(Code::invalid_input, "the host is missing");
  if (host.front() == '[') {
    if (host.back() == ']' && host.find(':') != std::string_view::npos)
      return crypto::check_alt_name(crypto::AltNameKind::ip, host.substr(1, host.size() - 2));
    return fail(Code::invalid_input,
                "an IPv6 address stands in brackets, like https://[2001:db8::1]:443");
  }
  if (host.front() == '*')
    return fail(Code::invalid_input, "a client needs one host, not a pattern of names");
  if (crypto::check_alt_name(crypto::AltNameKind::ip, host)) return {};
  return crypto::check_alt_name(crypto::AltNameKind::dns, host);
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`.
Result<> check_host_and_port(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t from = bracket == std::string_view::npos ? 0 : bracket;
  const std::size_t colon = text.find(':', from);
  if (colon == std::string_view::npos) return check_host(text);
  IMPRINT_TRY(check_host(text.substr(0, colon)));
  return check_port(text.substr(colon + 1));
}

Result<> check_characters(std::string_view url) {
  for (const char c : url) {
    if (c == '{' || c == '}')
      return fail(Code::invalid_input,
                  "braces are not possible: it is no template, the server is the same for all "
                  "devices of a batch");
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
      return fail(Code::invalid_input, "there is a space or a line end in it");
    if (c <= ' ' || c > '~' || std::string_view("\"\\<>^`|").find(c) != std::string_view::npos)
      return fail(Code::invalid_input,
                  "a character in it cannot stand in a URL (RFC 3986); write names beyond ASCII in "
                  "their xn-- form");
  }
  return {};
}

/// What two URLs of one server have in common; of a URL that check_server_url has passed.
std::string server_of(std::string_view url) {
  const std::size_t host_at = url.find("//") + 2;
  const std::size_t path_at = std::min(url.find('/', host_at), url.size());
  const std::string_view default_port = url.starts_with(kSecure) ? ":443" : ":80";
  std::string server = to_lower_ascii(url.substr(0, path_at));
  if (server.ends_with(default_port)) server.resize(server.size() - default_port.size());
  std::string_view path = url.substr(path_at);
  while (path.ends_with('/'))
    path.remove_suffix(1);
  return server.append(path);
}

}  // namespace

Result<> check_server_url(std::string_view url) {
  IMPRINT_TRY(check_characters(url));
  if (!url.starts_with(kSecure) && !url.starts_with(kInsecure))
    return fail(Code::invalid_input, "a server's URL begins with https://");
  const std::string_view rest = url.substr(url.find("//") + 2);
  if (rest.find_first_of("?#") != std::string_view::npos)
    return fail(Code::invalid_input,
                "a server's URL has no '?' and no '#': the client adds its paths to it");
  const std::string_view host = rest.substr(0, rest.find('/'));
  if (host.find('@') != std::string_view::npos)
    return fail(Code::invalid_input, "a server's URL has no user name");
  return check_host_and_port(host);
}

bool name_one_server(std::string_view a, std::string_view b) {
  return server_of(a) == server_of(b);
}

}  // namespace imprint::manifest
