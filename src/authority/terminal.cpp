#include "terminal.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <termios.h>
#include <unistd.h>

#include <fmt/format.h>

namespace imprint::authority {

namespace {

using crypto::SecretBytes;

volatile std::sig_atomic_t caught_signal = 0;

void on_signal(int signal) {
  caught_signal = signal;
}

/// While it lives, what ends a program only ends wait_for_input; afterwards the signal does what it
/// would have done, and the terminal is as it was by then. The signals are let in nowhere else: one
/// that came between a look and a read would leave the read waiting.
class DelayedSignals {
 public:
  DelayedSignals() {
    caught_signal = 0;

    struct sigaction action {};

    action.sa_handler = on_signal;  // without SA_RESTART
    sigset_t blocked;
    ::sigemptyset(&blocked);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaddset(&blocked, kSignals[i]);
      ::sigaction(kSignals[i], &action, &before_[i]);
    }
    ::pthread_sigmask(SIG_BLOCK, &blocked, &mask_before_);
  }

  DelayedSignals(const DelayedSignals&) = delete;
  DelayedSignals& operator=(const DelayedSignals&) = delete;

  ~DelayedSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &before_[i], nullptr);
    if (caught_signal != 0) ::raise(caught_signal);
    ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  }

  /// False when a signal came instead of input.
  [[nodiscard]] bool wait_for_input(int terminal) const {
    while (caught_signal == 0) {
      pollfd wanted{.fd = terminal, .events = POLLIN, .revents = 0};
      if (::ppoll(&wanted, 1, nullptr, &mask_before_) != -1 || errno != EINTR) break;
    }
    return caught_signal == 0;
  }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

  std::array<struct sigaction, kSignals.size()> before_{};
  sigset_t mask_before_{};
};

/// The terminal with echo off, as it was again afterwards.
class QuietTerminal {
 public:
  explicit QuietTerminal(int descriptor) : descriptor_(descriptor) {
    if (::tcgetattr(descriptor_, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet_ = ::tcsetattr(descriptor_, TCSAFLUSH, &quiet) == 0;
  }

  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

  ~QuietTerminal() {
    if (quiet_) ::tcsetattr(descriptor_, TCSAFLUSH, &before_);
  }

  [[nodiscard]] bool quiet() const noexcept { return quiet_; }

 private:
  int descriptor_;
  termios before_{};
  bool quiet_ = false;
};

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

// On a terminal nothing can be done about a failed write of the question, and the answer may come
// all the same.
void show(int terminal, std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(terminal, text.data(), text.size());
}

Result<SecretBytes> read_line(const DelayedSignals& signals, int terminal,
                              std::string_view question, std::size_t limit_bytes) {
  show(terminal, question);
  SecretBytes line(limit_bytes + 1);
  std::size_t used = 0;
  while (used < line.size()) {
    if (!signals.wait_for_input(terminal)) return fail(Code::cancelled, "interrupted");
    const ssize_t got = ::read(terminal, line.data() + used, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("reading the terminal"));
    if (got == 0 || line.data()[used] == std::byte{'\n'}) break;
    ++used;
  }
  show(terminal, "\n");
  line.resize(used);
  return line;
}

}  // namespace

Result<SecretBytes> ask_on_terminal(std::string_view question, std::size_t limit_bytes,
                                    bool twice) {
  const Descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (terminal.get() < 0) {
    return fail(Code::invalid_input,
                "there is no terminal to ask on; use env:NAME, file:PATH, fd:N or credential:NAME");
  }
  const DelayedSignals signals;
  const QuietTerminal quiet(terminal.get());
  if (!quiet.quiet()) return fail(system_error("switching the terminal's echo off"));
  SecretBytes line =
      IMPRINT_TRY(read_line(signals, terminal.get(), fmt::format("{}: ", question), limit_bytes));
  if (!twice) return line;
  const SecretBytes again = IMPRINT_TRY(
      read_line(signals, terminal.get(), fmt::format("{} again: ", question), limit_bytes));
  if (!std::ranges::equal(line.view(), again.view())) {
    return fail(Code::invalid_input, "the two are not the same; run the command again");
  }
  return line;
}

}  // namespace imprint::authority
