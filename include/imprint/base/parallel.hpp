#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace imprint {

/// Processors that this process may use, at least 1.
[[nodiscard]] unsigned usable_cpus() noexcept;

/// Independent pieces of work on several threads, the results taken in order.
struct OrderedWork {
  /// Results that wait for their turn are in numbered slots, 0 .. slots-1, which the caller owns.
  std::size_t slots = 1;
  std::function<void(std::size_t item, std::size_t slot)> work;  ///< on any thread
  /// Called with every item in order, never twice at once, after its work; then the slot is free.
  std::function<void(std::size_t item, std::size_t slot)> take;
};

/// Does `count` items on `threads` threads, the caller's included. After `stop` no item is begun;
/// what was begun is taken as long as nothing before it is missing. Neither function may throw.
/// False when it was stopped before the end.
bool run_in_order(std::size_t count, unsigned threads, const OrderedWork& ordered,
                  const std::atomic<bool>& stop);

}  // namespace imprint
