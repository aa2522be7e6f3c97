#include "progress.hpp"

#include <fmt/format.h>

namespace imprint::cli {

void Progress::batch_started(const pipeline::PlanSummary& /*plan*/, std::uint64_t to_do,
                             std::uint64_t /*done_before*/) {
  started_ = SteadyClock::now();
  to_do_ = to_do;
}

void Progress::device_done(const DeviceDone& /*device*/) {
  ++done_;
  step();
}

void Progress::device_failed(std::string_view /*id*/, std::string_view /*reason*/) {
  ++failed_;
  step();
}

void Progress::step() {
  using namespace std::chrono_literals;
  const auto now = SteadyClock::now();
  if (now - drawn_ < 100ms) return;
  drawn_ = now;
  draw(now);
}

void Progress::draw(SteadyClock::time_point now) {
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const auto gone = static_cast<double>(done_ + failed_);
  const double rate = elapsed > 0 ? gone / elapsed : 0;
  const double left = rate > 0 ? static_cast<double>(to_do_ - done_ - failed_) / rate : 0;
  const std::string failed = failed_ > 0 ? fmt::format(", {} failed", failed_) : std::string();
  terminal_ << fmt::format("\r\033[K{}/{} devices{}, {:.{}f}/s, {} left", done_ + failed_, to_do_,
                           failed, rate, rate < 10 ? 1 : 0, duration_text(left))
            << std::flush;
}

void Progress::batch_finished(const pipeline::BatchReport& /*report*/) {
  terminal_ << "\r\033[K" << std::flush;
}

std::string duration_text(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min", (whole + 30) / 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace imprint::cli
