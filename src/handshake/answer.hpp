#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace imprint::handshake {

/// What a server answered by HTTP.
struct Answer {
  int status = 0;
  std::string reason;  ///< of the status line
  std::string said;    ///< what the page says: its title, or its first line; one line, shortened
};

/// The request: for a path that devices use and that stands for nothing, so that nothing happens at
/// the server.
[[nodiscard]] std::string harmless_request(std::string_view host);

/// Whether all that will come has come, as far as the answer itself says, or it is no HTTP.
[[nodiscard]] bool is_whole(std::string_view answer);
/// Whether the status line and all headers are there.
[[nodiscard]] bool has_status(std::string_view answer);

/// None when it is no HTTP.
[[nodiscard]] std::optional<Answer> parse_answer(std::string_view answer);

/// Whether the status is one by which servers refuse a client for its certificate: what is wrong
/// with a request that anybody may make.
[[nodiscard]] bool is_refusal(const Answer& answer);

}  // namespace imprint::handshake
