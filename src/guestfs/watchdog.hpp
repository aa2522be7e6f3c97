#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace imprint::guestfs {

/// While it lives, asks `overdue` every 100 ms on a thread of its own, and calls `act` once when
/// the answer is yes: how a call into libguestfs that would wait forever comes to an end.
class Watchdog {
 public:
  Watchdog(std::function<bool()> overdue, std::function<void()> act);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  /// True once it has acted; final after stop().
  [[nodiscard]] bool acted() const noexcept { return acted_; }

  void stop();

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::atomic<bool> acted_ = false;
  std::thread thread_;
};

}  // namespace imprint::guestfs
