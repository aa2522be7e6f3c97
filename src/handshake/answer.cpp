#include "answer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/version.hpp"

namespace imprint::handshake {

namespace {

constexpr std::string_view kProtocol = "HTTP/";
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::size_t kShown = 120;

std::string_view head_of(std::string_view answer) {
  return answer.substr(0, answer.find(kEndOfHead));
}

std::string_view body_of(std::string_view answer) {
  const std::size_t end = answer.find(kEndOfHead);
  return end == std::string_view::npos ? std::string_view()
                                       : answer.substr(end + kEndOfHead.size());
}

std::optional<std::size_t> content_length(std::string_view head) {
  const std::string lower = to_lower_ascii(head);
  constexpr std::string_view kName = "\r\ncontent-length:";
  const std::size_t at = lower.find(kName);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t from = lower.find_first_not_of(' ', at + kName.size());
  if (from == std::string::npos) return std::nullopt;
  std::size_t length = 0;
  const auto [end, error] =
      std::from_chars(lower.data() + from, lower.data() + lower.size(), length);
  return error == std::errc{} ? std::optional(length) : std::nullopt;
}

/// The title of a page (nginx says there what it thinks of the certificate), or the first line of a
/// text.
std::string what_it_says(std::string_view body) {
  const std::string lower = to_lower_ascii(body);
  constexpr std::string_view kOpen = "<title>";
  const std::size_t open = lower.find(kOpen);
  std::string_view said;
  if (open != std::string::npos) {
    const std::size_t from = open + kOpen.size();
    said = body.substr(from, lower.find("</title>", from) - from);
  } else if (lower.find('<') == std::string::npos) {
    said = body.substr(0, body.find_first_of("\r\n"));
  }
  return printable(said.substr(0, kShown));
}

}  // namespace

std::string harmless_request(std::string_view host) {
  return fmt::format(
      "GET /api/devices/ HTTP/1.1\r\nHost: {}\r\nUser-Agent: imprint/{}\r\nAccept: */*\r\n"
      "Connection: close\r\n\r\n",
      host, kVersion);
}

bool has_status(std::string_view answer) {
  return answer.find(kEndOfHead) != std::string_view::npos;
}

bool is_whole(std::string_view answer) {
  if (answer.size() >= kProtocol.size() && !answer.starts_with(kProtocol)) return true;
  if (!has_status(answer)) return false;
  const auto length = content_length(head_of(answer));
  return length && body_of(answer).size() >= *length;
}

std::optional<Answer> parse_answer(std::string_view answer) {
  // RFC 9110 15.2: any number of interim answers may come first.
  constexpr std::string_view kInterim = "HTTP/1.1 1";
  constexpr std::string_view kEnd = "\r\n\r\n";
  while (answer.starts_with(kInterim) && answer.find(kEnd) != std::string_view::npos)
    answer.remove_prefix(answer.find(kEnd) + kEnd.size());
  if (!answer.starts_with(kProtocol)) return std::nullopt;
  const std::string_view line = answer.substr(0, answer.find_first_of("\r\n"));
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  Answer parsed;
  const char* const end_of_line = line.data() + line.size();
  const auto [end, error] = std::from_chars(line.data() + space + 1, end_of_line, parsed.status);
  if (error != std::errc{} || parsed.status < 100 || parsed.status > 999) return std::nullopt;
  const auto rest = line.substr(static_cast<std::size_t>(end - line.data()));
  parsed.reason = printable(rest.substr(std::min<std::size_t>(1, rest.size()), kShown));
  parsed.said = what_it_says(body_of(answer));
  return parsed;
}

bool is_refusal(const Answer& answer) {
  // 495 and 496 are nginx's own for the certificate and for none, where an error_page shows them;
  // 421: another name than this server's. 401 is what an API says to everybody without a token.
  constexpr std::array kRefusals = {400, 403, 421, 495, 496};
  return std::ranges::find(kRefusals, answer.status) != kRefusals.end();
}

}  // namespace imprint::handshake
