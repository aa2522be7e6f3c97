#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>

namespace imprint::pipeline {

/// How many devices travel together. A group is what an interruption waits for, what a kill loses,
/// and what has to be minted before the first device can be seen; but many devices of a
/// microsecond each should share one ledger transaction. So the size follows the time that a device
/// takes, measured: an RSA key takes ten thousand times as long as a P-256 key, and a token in a
/// USB port signs ten times a second. Thread-safe.
class GroupPace {
 public:
  /// What minting a group should take.
  static constexpr std::chrono::milliseconds kTarget{250};

  /// Starts with one device, never says more than `most` (>= 1).
  explicit GroupPace(std::size_t most) : most_(most) {}

  /// Size of the next group, 1 ... most.
  [[nodiscard]] std::size_t next() const;

  /// A group of so many devices took so long. None (all failed) says nothing about the time.
  void measured(std::size_t devices, std::chrono::nanoseconds took);

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::size_t size_ = 1;
  std::optional<double> seconds_each_;  // of a device, lately
};

}  // namespace imprint::pipeline
