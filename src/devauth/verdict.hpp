#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "reply.hpp"

namespace imprint::devauth {

/// What a reply means for what comes next.
struct Verdict {
  enum class Kind {
    created,   ///< `device_id` is new
    exists,    ///< 409: which device, and by which key, is in the body
    shown,     ///< 200 to a GET
    gone,      ///< 404 to a GET
    retry,     ///< may pass
    refused,   ///< this device's request is not taken
    hopeless,  ///< no answer of a Mender server that this token may use: from the first one on, it
               ///< is so for every device
    stop,      ///< it is so for every device
  };

  Kind kind = Kind::refused;
  std::string reason;
  std::string device_id;
  std::optional<std::chrono::seconds> wait;  ///< of `retry`: what the server asks for
  bool busy = false;                         ///< of `retry`: 429, there were too many
};

[[nodiscard]] Verdict judge_post(const Reply& reply);
[[nodiscard]] Verdict judge_get(const Reply& reply);

}  // namespace imprint::devauth
