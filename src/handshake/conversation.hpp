#pragma once

#include <string>

#include "imprint/crypto/tls_client.hpp"
#include "socket.hpp"

namespace imprint::handshake {

/// How a conversation went.
struct Ending {
  enum class Kind {
    answered,  ///< HTTP came back, or what should be
    closed,    ///< in order, or not, but without a word
    reset,     ///< by the system of the server
    timed_out,
    no_tls,  ///< what listens there speaks something else
    failed,  ///< alert, distrust, or nonsense: the facts say which
  };

  Kind kind = Kind::closed;
  std::string answer = {};  ///< to the request, as far as it was read
};

/// Makes the TLS connection over the socket, sends the request and reads what comes back, until it
/// is a whole HTTP answer, the server is done, or the time is over.
[[nodiscard]] Ending converse(crypto::TlsClient& tls, Socket& socket, std::string_view request,
                              Deadline deadline);

}  // namespace imprint::handshake
