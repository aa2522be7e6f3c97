#include "watchdog.hpp"

#include <chrono>

namespace imprint::guestfs {

Watchdog::Watchdog(std::function<bool()> overdue, std::function<void()> act)
    : thread_([this, late = std::move(overdue), end_it = std::move(act)] {
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, std::chrono::milliseconds(100), [this] { return stopped_; })) {
          if (!late()) continue;
          acted_ = true;
          end_it();
          return;
        }
      }) {}

Watchdog::~Watchdog() {
  stop();
}

void Watchdog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace imprint::guestfs
