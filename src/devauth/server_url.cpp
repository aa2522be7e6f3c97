#include "imprint/devauth/server_url.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "curl.hpp"
#include "imprint/base/text.hpp"
#include "shortened.hpp"

namespace imprint::devauth {

namespace {

using TextPtr = std::unique_ptr<char, Freer<&Curl::free>>;

Unexpected invalid(std::string text) {
  return fail(Code::invalid_input, std::move(text));
}

/// Empty when the URL has no such part.
std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (libcurl().url_get(url, which, &text, flags) != CURLUE_OK || text == nullptr) return {};
  const TextPtr owner(text);
  return text;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  // libcurl has normalised numeric addresses: what is no number after `127.` is a name.
  return host.starts_with("127.") && std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= '0' && c <= '9') || c == '.';
         });
}

/// `https://host:` and `https://host:0`, which libcurl lets pass: what was to stand there nobody
/// knows. `url` is one that libcurl has read, without a user.
bool has_no_real_port(std::string_view url, std::string_view port) {
  if (port.find_first_not_of('0') == std::string_view::npos && !port.empty()) return true;
  url.remove_prefix(std::min(url.find_first_not_of('/', url.find("://") + 3), url.size()));
  return url.substr(0, url.find_first_of("/?#")).ends_with(':');
}

}  // namespace

Result<ServerUrl> ServerUrl::parse(std::string_view text) {
  IMPRINT_TRY(load_libcurl());
  const std::string given(text);
  const std::string shown = quoted(shortened(text));
  const UrlPtr url(libcurl().url());
  if (url == nullptr) return fail(Code::internal, "libcurl makes no URL");
  if (given.find("://") == std::string::npos) {
    const bool may_have_password = given.find('@') != std::string::npos;
    return invalid((may_have_password ? std::string() : shown + " ") +
                   "is no URL; give https://HOST");
  }
  const CURLUcode code =
      libcurl().url_set(url.get(), CURLUPART_URL, given.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) {
    return invalid(fmt::format("is no URL ({}); give https://HOST", libcurl().url_strerror(code)));
  }
  if (!part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty()) {
    return invalid("has a user or password in it; leave them out, the token says who you are");
  }
  const std::string scheme = part(url.get(), CURLUPART_SCHEME);
  const std::string host = to_lower_ascii(part(url.get(), CURLUPART_HOST));
  if (scheme != "https" && scheme != "http") {
    return invalid(
        fmt::format("{}: {} is not possible; give https://HOST", shown, quoted(shortened(scheme))));
  }
  // Without CURLU_NO_DEFAULT_PORT, ':443' would be another server than none.
  const std::string port = part(url.get(), CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  if (has_no_real_port(given, port)) {
    return invalid(fmt::format(
        "{} has a ':' and no port (1 to 65535); give one, or leave the ':' out", shown));
  }
  if (!part(url.get(), CURLUPART_QUERY).empty() || !part(url.get(), CURLUPART_FRAGMENT).empty()) {
    return invalid(fmt::format("{} has a '?' or '#' in it; give https://HOST", shown));
  }
  const bool plain = scheme == "http";
  if (plain && !is_loopback(host)) {
    return invalid(fmt::format(
        "{} would send the token unencrypted, for anybody on the way to read; give https://{}",
        shown, shortened(host)));
  }
  std::string path = part(url.get(), CURLUPART_PATH);
  while (path.ends_with('/'))
    path.pop_back();
  if (path.find("/api/management") != std::string::npos) {
    return invalid(fmt::format("{} has the API's path in it; give only the server, https://{}",
                               shown, shortened(host)));
  }
  return ServerUrl(fmt::format("{}://{}{}{}{}", scheme, host, port.empty() ? "" : ":", port, path),
                   plain);
}

}  // namespace imprint::devauth
