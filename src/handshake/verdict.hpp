#pragma once

#include "conversation.hpp"
#include "device.hpp"
#include "imprint/handshake/handshake.hpp"

namespace imprint::handshake {

/// Everything that is known when the connection is over.
struct Outcome {
  const Device& device;
  const crypto::TlsFacts& facts;
  const Ending& ending;
  TimePoint now;
};

/// Fills in what came back and what it means; what was sent is in the report already. Code::io when
/// the server cannot be judged: no TLS there, or no answer in time.
Result<> judge(Report& report, const Outcome& outcome);

}  // namespace imprint::handshake
