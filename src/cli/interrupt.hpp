#pragma once

#include <atomic>

namespace imprint::cli {

/// While it lives, SIGINT and SIGTERM ask for an orderly stop instead of ending the process; a
/// second one ends it at once with status 130. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  [[nodiscard]] const std::atomic<bool>& requested() const noexcept;
};

}  // namespace imprint::cli
