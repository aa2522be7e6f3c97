#pragma once

#include <chrono>
#include <ostream>

#include "imprint/pipeline/batch.hpp"

namespace imprint::cli {

/// One line on a terminal: how far, how fast, how long yet. Redrawn when a device is done, ten
/// times a second at most, and by tick() when none is for long. Not thread-safe.
class Progress final : public pipeline::BatchObserver {
 public:
  explicit Progress(std::ostream& terminal) : terminal_(terminal) {}

  void batch_started(const pipeline::PlanSummary& plan, std::uint64_t to_do,
                     std::uint64_t done_before) override;
  void device_done(const DeviceDone& device) override;
  void device_failed(std::string_view id, std::string_view reason) override;
  void batch_finished(const pipeline::BatchReport& report) override;

  /// Redraws a line that has not changed for a second: the time goes on, also while the first RSA
  /// keys are made.
  void tick();

 private:
  using SteadyClock = std::chrono::steady_clock;

  void step();
  void draw(SteadyClock::time_point now);

  std::ostream& terminal_;
  SteadyClock::time_point started_;
  SteadyClock::time_point drawn_;
  std::uint64_t to_do_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
  bool running_ = false;
};

/// What the line says after so many seconds: "3/10 devices, 0.5/s, 14 s left".
[[nodiscard]] std::string progress_text(std::uint64_t gone, std::uint64_t failed,
                                        std::uint64_t to_do, double elapsed);

/// "3.2 s", "45 s", "12 min", "2 h 05 min".
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace imprint::cli
