#pragma once

#include <chrono>
#include <random>

namespace imprint::devauth {

/// How long to wait before the next try: twice as long each time, up to half a minute, of which a
/// random part up to a half is cut, so that clients that fail together do not come back together.
class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds first, std::uint32_t seed = std::random_device{}())
      : first_(first),
        random_(seed) {}

  /// `tries` that have failed, at least one.
  [[nodiscard]] std::chrono::milliseconds pause(unsigned tries) {
    constexpr std::chrono::milliseconds kLongest = std::chrono::seconds(30);
    constexpr unsigned kMostDoublings = 16;
    const unsigned doublings = std::min(tries - 1, kMostDoublings);
    const auto whole = std::min(first_ * (1L << doublings), kLongest);
    std::uniform_int_distribution<std::int64_t> part((whole.count() + 1) / 2, whole.count());
    return std::chrono::milliseconds(part(random_));
  }

 private:
  std::chrono::milliseconds first_;
  std::minstd_rand random_;
};

}  // namespace imprint::devauth
