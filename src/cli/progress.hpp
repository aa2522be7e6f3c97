#pragma once

#include <chrono>
#include <ostream>

#include "imprint/pipeline/batch.hpp"

namespace imprint::cli {

/// One line on a terminal, redrawn ten times a second at most: how far, how fast, how long yet.
class Progress final : public pipeline::BatchObserver {
 public:
  explicit Progress(std::ostream& terminal) : terminal_(terminal) {}

  void batch_started(const pipeline::PlanSummary& plan, std::uint64_t to_do,
                     std::uint64_t done_before) override;
  void device_done(const DeviceDone& device) override;
  void device_failed(std::string_view id, std::string_view reason) override;
  void batch_finished(const pipeline::BatchReport& report) override;

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
};

/// "3.2 s", "45 s", "12 min", "2 h 05 min".
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace imprint::cli
