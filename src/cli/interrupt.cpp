#include "interrupt.hpp"

#include <csignal>
#include <unistd.h>

#include "imprint/cli/cli.hpp"

namespace imprint::cli {

namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler needs a lock-free flag");
struct sigaction previous_interrupt;
struct sigaction previous_terminate;

void on_signal(int /*signal*/) {
  if (stop_requested.exchange(true)) ::_exit(static_cast<int>(Exit::interrupted));
}

}  // namespace

InterruptGuard::InterruptGuard() {
  stop_requested = false;

  struct sigaction action {};

  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, &previous_interrupt);
  ::sigaction(SIGTERM, &action, &previous_terminate);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &previous_interrupt, nullptr);
  ::sigaction(SIGTERM, &previous_terminate, nullptr);
}

const std::atomic<bool>& InterruptGuard::requested() const noexcept {
  return stop_requested;
}

}  // namespace imprint::cli
