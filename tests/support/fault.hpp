#pragma once

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "imprint/base/syscalls.hpp"

namespace imprint::test {

/// While it lives, imprint::sys calls go through a hook; removed on destruction.
class ScopedFaultHook {
 public:
  explicit ScopedFaultHook(sys::FaultHook hook) { sys::set_fault_hook(std::move(hook)); }

  ScopedFaultHook(const ScopedFaultHook&) = delete;
  ScopedFaultHook& operator=(const ScopedFaultHook&) = delete;

  ~ScopedFaultHook() { sys::set_fault_hook({}); }
};

/// Makes the Nth changing system call (from 1) fail, and with `persistent` all after it. The
/// anomaly loop: `for (int n = 1;; ++n) { FailNth fault(n); ...; if (!fault.fired()) break; }`
class FailNth {
 public:
  explicit FailNth(int nth, int error_number = EIO, bool persistent = false);

  /// Whether so many calls were made that one has failed.
  [[nodiscard]] bool fired() const noexcept { return calls_->load() >= nth_; }

 private:
  int nth_;
  std::shared_ptr<std::atomic<int>> calls_ = std::make_shared<std::atomic<int>>(0);
  ScopedFaultHook hook_;
};

/// A hook that only counts, to learn how many calls an operation makes.
[[nodiscard]] sys::FaultHook record_operations(std::vector<std::string>& into);

}  // namespace imprint::test
