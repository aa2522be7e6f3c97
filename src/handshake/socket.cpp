#include "socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::handshake {

namespace {

using Clock = std::chrono::steady_clock;

struct AddressListFreer {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

using AddressList = std::unique_ptr<addrinfo, AddressListFreer>;

struct Resolved {
  AddressList list;
  int error = 0;
  int system_error = 0;
};

Unexpected unreachable(const Endpoint& endpoint, std::string_view why) {
  return fail(Code::io, fmt::format("connecting to {}: {}", quoted(endpoint.text()), why));
}

int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

Resolved look_up(const Endpoint& endpoint) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  Resolved resolved;
  addrinfo* list = nullptr;
  resolved.error =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list);
  resolved.system_error = errno;
  resolved.list.reset(resolved.error == 0 ? list : nullptr);
  return resolved;
}

/// getaddrinfo knows no time limit and cannot be called off, so that it has a thread of its own,
/// which is left behind when it takes too long.
Result<AddressList> resolve(const Endpoint& endpoint, Deadline deadline) {
  std::promise<Resolved> promise;
  std::future<Resolved> future = promise.get_future();
  std::thread([endpoint, given = std::move(promise)]() mutable {
    given.set_value(look_up(endpoint));
  }).detach();
  if (future.wait_until(deadline) != std::future_status::ready)
    return unreachable(endpoint,
                       "the name is not resolved in time; look at the name server, or "
                       "give more --timeout");
  Resolved resolved = future.get();
  if (resolved.error == 0) return std::move(resolved.list);
  const std::string why = resolved.error == EAI_SYSTEM
                              ? std::generic_category().message(resolved.system_error)
                              : ::gai_strerror(resolved.error);
  return unreachable(endpoint,
                     fmt::format("no address for {} ({}); check the name, or give the address by "
                                 "--edge and the name by --server-name",
                                 quoted(endpoint.host), why));
}

std::string numeric(const addrinfo& address) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(address.ai_addr, address.ai_addrlen, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  const bool colons = std::strchr(host.data(), ':') != nullptr;
  return fmt::format("{}{}{}:{}", colons ? "[" : "", host.data(), colons ? "]" : "", port.data());
}

/// 0, or the errno why not.
int finish_connecting(int fd, Deadline deadline) {
  pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, milliseconds_until(deadline));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/// The descriptor, or -1 and errno.
int connect_to(const addrinfo& address, Deadline deadline) {
  const int fd =
      ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol);
  if (fd < 0) return -1;
  int error = 0;
  if (::connect(fd, address.ai_addr, address.ai_addrlen) != 0) {
    error = errno == EINPROGRESS || errno == EINTR ? finish_connecting(fd, deadline) : errno;
  }
  if (error == 0) return fd;
  ::close(fd);
  errno = error;
  return -1;
}

std::string advice_for(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "nobody listens there; check the port, and that the server runs";
    case ETIMEDOUT:
      return "no answer in time; check the address and the firewalls on the way, or give more "
             "--timeout";
    default:
      return "check the address and the network";
  }
}

}  // namespace

Result<Socket> Socket::connect(const Endpoint& endpoint, Deadline deadline) {
  const AddressList list = IMPRINT_TRY(resolve(endpoint, deadline));
  std::vector<const addrinfo*> addresses;
  for (const addrinfo* at = list.get(); at != nullptr; at = at->ai_next)
    addresses.push_back(at);
  std::string why;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    // One that swallows everything (IPv6 without a way out) leaves the others their share.
    const auto now = Clock::now();
    const auto share = (deadline - now) / static_cast<int>(addresses.size() - i);
    const int fd = connect_to(*addresses[i], now + share);
    if (fd >= 0) return Socket(fd, numeric(*addresses[i]));
    const int error = errno;
    why += fmt::format("{}{}: {} ({})", why.empty() ? "" : "; ", numeric(*addresses[i]),
                       std::generic_category().message(error), advice_for(error));
  }
  return unreachable(endpoint, why);
}

Socket::Socket(Socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      address_(std::move(other.address_)) {}

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

Socket::State Socket::wait_for(short events, Deadline deadline) const {
  // poll would still say that there is data, of which a server can have no end.
  if (milliseconds_until(deadline) <= 0) return State::timed_out;
  pollfd waiting{.fd = fd_, .events = events, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, milliseconds_until(deadline));
  } while (ready < 0 && errno == EINTR);
  return ready > 0 ? State::open : State::timed_out;
}

Socket::State Socket::receive(Bytes& into, Deadline deadline) {
  std::array<std::byte, 16384> part{};
  for (;;) {
    if (wait_for(POLLIN, deadline) == State::timed_out) return State::timed_out;
    const ssize_t size = ::recv(fd_, part.data(), part.size(), 0);
    if (size > 0) {
      into.insert(into.end(), part.begin(), part.begin() + size);
      return State::open;
    }
    if (size == 0) return State::ended;
    if (errno != EINTR && errno != EAGAIN) return State::reset;
  }
}

Socket::State Socket::send(ByteView bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (wait_for(POLLOUT, deadline) == State::timed_out) return State::timed_out;
    // MSG_NOSIGNAL: a server that has hung up is an answer, not the end of this process.
    const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(size));
    } else if (errno != EINTR && errno != EAGAIN) {
      return State::reset;
    }
  }
  return State::open;
}

}  // namespace imprint::handshake
