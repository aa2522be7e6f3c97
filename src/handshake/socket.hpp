#pragma once

#include <chrono>
#include <string>

#include "endpoint.hpp"
#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

namespace imprint::handshake {

/// When everything has to be over.
using Deadline = std::chrono::steady_clock::time_point;

/// A TCP connection with a time limit. Owns the descriptor.
class Socket {
 public:
  /// Tries the addresses of the host one after the other. Code::io, with what to look at, when none
  /// answers in time, or the name has none.
  static Result<Socket> connect(const Endpoint& endpoint, Deadline deadline);
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  enum class State { open, ended, reset, timed_out };

  /// Appends what comes next.
  [[nodiscard]] State receive(Bytes& into, Deadline deadline);
  [[nodiscard]] State send(ByteView bytes, Deadline deadline);

  /// `192.0.2.7:443`
  [[nodiscard]] const std::string& address() const noexcept { return address_; }

 private:
  Socket(int fd, std::string address) : fd_(fd), address_(std::move(address)) {}

  [[nodiscard]] State wait_for(short events, Deadline deadline) const;

  int fd_;
  std::string address_;
};

}  // namespace imprint::handshake
