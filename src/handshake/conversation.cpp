// With TLS 1.3 a server sees the client's certificate when the client has finished its part of the
// handshake, and nginx refuses it by HTTP in every version. So a handshake that went well proves
// nothing: something has to be asked, and answered.

#include "conversation.hpp"

#include <algorithm>
#include <utility>

#include "answer.hpp"

namespace imprint::handshake {

namespace {

using Kind = Ending::Kind;
using crypto::TlsStep;

constexpr std::size_t kEnoughOfAnAnswer = std::size_t{64} << 10;

/// A TLS record of a server begins with its type: a handshake message or an alert (RFC 8446, 5.1).
bool begins_as_tls(ByteView first) {
  constexpr std::byte kAlert{21};
  constexpr std::byte kHandshake{22};
  return first.empty() || first.front() == kAlert || first.front() == kHandshake;
}

class Talk {
 public:
  Talk(crypto::TlsClient& tls, Socket& socket, Deadline deadline)
      : tls_(tls),
        socket_(socket),
        deadline_(deadline) {}

  Ending run(std::string_view request) {
    for (;;) {
      const TlsStep step = tls_.handshake();
      flush();
      if (step == TlsStep::done) break;
      if (step != TlsStep::wants_input || !pull()) return ended(step);
    }
    const TlsStep written = tls_.write(bytes_of(request));
    flush();
    return written == TlsStep::done ? read_answer() : ended(written);
  }

 private:
  Ending read_answer() {
    Bytes answer;
    for (;;) {
      const TlsStep step = tls_.read(answer);
      flush();
      if (is_whole(text_of(answer)) || answer.size() > kEnoughOfAnAnswer) return answered(answer);
      if (step == TlsStep::done) continue;
      if (step == TlsStep::wants_input && pull()) continue;
      return has_status(text_of(answer)) ? answered(answer) : ended(step, answer);
    }
  }

  static Ending answered(ByteView answer) {
    return {.kind = Kind::answered, .answer = std::string(text_of(answer))};
  }

  /// That a server has hung up is seen where it is read: what it said before that still comes.
  void flush() {
    const Bytes waiting = tls_.take_to_send();
    if (!waiting.empty() && socket_.send(waiting, deadline_) == Socket::State::timed_out)
      state_ = Socket::State::timed_out;
  }

  /// False when nothing more comes. The end itself comes once, for the client to judge it.
  bool pull() {
    if (state_ != Socket::State::open) return false;
    Bytes received;
    state_ = socket_.receive(received, deadline_);
    if (state_ == Socket::State::timed_out || state_ == Socket::State::reset) return false;
    if (state_ == Socket::State::ended) {
      tls_.put_end();
      return true;
    }
    if (first_ && !begins_as_tls(received)) no_tls_ = true;
    first_ = false;
    tls_.put_received(received);
    return !no_tls_;
  }

  [[nodiscard]] Ending ended(TlsStep step = TlsStep::failed, ByteView answer = {}) const {
    const auto as = [&answer](Kind kind) {
      return Ending{.kind = kind, .answer = std::string(text_of(answer))};
    };
    const crypto::TlsFacts& facts = tls_.facts();
    if (no_tls_) return as(Kind::no_tls);
    if (facts.alert) return as(Kind::failed);
    if (state_ == Socket::State::timed_out) return as(Kind::timed_out);
    if (state_ == Socket::State::reset) return as(Kind::reset);
    if (step == TlsStep::closed || state_ == Socket::State::ended) return as(Kind::closed);
    return as(Kind::failed);
  }

  crypto::TlsClient& tls_;
  Socket& socket_;
  Deadline deadline_;
  Socket::State state_ = Socket::State::open;
  bool first_ = true;
  bool no_tls_ = false;
};

}  // namespace

Ending converse(crypto::TlsClient& tls, Socket& socket, std::string_view request,
                Deadline deadline) {
  return Talk(tls, socket, deadline).run(request);
}

}  // namespace imprint::handshake
