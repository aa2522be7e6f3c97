#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/secret.hpp"
#include "imprint/devauth/body.hpp"
#include "imprint/devauth/server_url.hpp"

namespace imprint::devauth {

struct Options {
  ServerUrl server;
  const crypto::SecretBytes& token;
  Bytes ca_pem;       ///< certificates that are trusted besides the system's; empty for none
  unsigned jobs = 8;  ///< requests at a time, each over a connection of its own that is kept
  unsigned retries = 5;
  std::chrono::milliseconds timeout = std::chrono::seconds(30);  ///< of one request
  bool force = false;  ///< a device that is known by another key gets this one too
  std::chrono::milliseconds first_pause = std::chrono::milliseconds(500);  ///< doubled each time
};

enum class Outcome {
  accepted,  ///< new at the server, or given its key there
  known,     ///< the server knows this device by this key
  conflict,  ///< the server knows it by another key, or has rejected this one
  failed,    ///< this device's request was not taken
};

[[nodiscard]] std::string_view name(Outcome outcome) noexcept;

struct Answer {
  const Preauthorization& device;
  Outcome outcome;
  std::string_view device_id;  ///< the server's; empty where it is not known
  std::string_view reason;     ///< of `conflict` and `failed`, for people
};

/// Hears of answers as they come, in the calling thread. An error ends the run.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual Result<> answered(const Answer& answer) = 0;
  /// Several times a second, whatever happens.
  virtual Result<> tick() = 0;
};

struct Summary {
  std::size_t accepted = 0;
  std::size_t known = 0;
  std::size_t conflicts = 0;
  std::size_t failed = 0;
  std::size_t not_sent = 0;      ///< without an answer: the next run's
  std::optional<Error> stopped;  ///< why the run ended early
  bool interrupted = false;
};

/// Sends every device to the server. One thread; requests are under way side by side.
///
/// Retried, after a pause that doubles and is cut at random, or that the server asks for: no
/// connection, cut off, too slow, 408, 425, 429, 5xx. What one device alone fails at is its own
/// failure; when nothing else is answered either, the run stops with Code::io. An answer that says
/// that everything is wrong (401; at the start also 403, 404, a redirect, no Mender server) stops
/// it with Code::invalid_input, as does a certificate that is not trusted. `stop` set: what is
/// under way gets two seconds, nothing new is sent.
///
/// The token is in no message, also when the server repeats it.
[[nodiscard]] Result<Summary> preauthorize(std::span<const Preauthorization> devices,
                                           const Options& options, Listener& listener,
                                           const std::atomic<bool>& stop);

}  // namespace imprint::devauth
