#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace imprint::devauth {

/// What came back, or why nothing did.
struct Reply {
  enum class Kind {
    answer,       ///< HTTP, whole
    too_large,    ///< more than any answer of a Mender server
    untrusted,    ///< the server's certificate is not accepted
    unreachable,  ///< no connection, cut off, too slow, no HTTP: may pass
  };

  Kind kind = Kind::answer;
  std::string trouble;  ///< libcurl's words, when it is no answer
  long status = 0;
  std::string location;
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
};

}  // namespace imprint::devauth
