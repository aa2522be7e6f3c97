#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "imprint/pipeline/batch.hpp"

namespace imprint::pipeline {

/// Time spent per stage, summed over workers.
struct StageClocks {
  using Nanoseconds = std::atomic<std::int64_t>;

  Nanoseconds mint{0};
  Nanoseconds record{0};
  Nanoseconds place{0};
  Nanoseconds finish{0};

  /// Adds the time it lives to a clock.
  class Running {
   public:
    explicit Running(Nanoseconds& clock) : clock_(clock) {}

    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    ~Running() {
      clock_ += std::chrono::nanoseconds(std::chrono::steady_clock::now() - started_).count();
    }

   private:
    Nanoseconds& clock_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  };

  [[nodiscard]] StageSeconds seconds() const {
    constexpr double kNano = 1e-9;
    return {static_cast<double>(mint) * kNano, static_cast<double>(record) * kNano,
            static_cast<double>(place) * kNano, static_cast<double>(finish) * kNano};
  }
};

}  // namespace imprint::pipeline
