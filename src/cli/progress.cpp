#include "progress.hpp"

#include <fmt/format.h>

namespace imprint::cli {

void Progress::batch_started(const pipeline::PlanSummary& /*plan*/, std::uint64_t to_do,
                             std::uint64_t /*done_before*/) {
  started_ = SteadyClock::now();
  to_do_ = to_do;
  running_ = true;
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
  draw(now);
}

void Progress::tick() {
  using namespace std::chrono_literals;
  const auto now = SteadyClock::now();
  if (running_ && now - drawn_ >= 1s) draw(now);
}

void Progress::draw(SteadyClock::time_point now) {
  drawn_ = now;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  terminal_ << "\r\033[K" << progress_text(done_ + failed_, failed_, to_do_, elapsed) << std::flush;
}

void Progress::batch_finished(const pipeline::BatchReport& /*report*/) {
  running_ = false;
  terminal_ << "\r\033[K" << std::flush;
}

std::string progress_text(std::uint64_t gone, std::uint64_t failed, std::uint64_t to_do,
                          double elapsed) {
  const std::string failures = failed > 0 ? fmt::format(", {} failed", failed) : std::string();
  const std::string head = fmt::format("{}/{} devices{}", gone, to_do, failures);
  // Nothing is known before the first one: the time that has passed shows that work goes on.
  if (gone == 0 || elapsed <= 0) return fmt::format("{}, {}", head, duration_text(elapsed));
  const double rate = static_cast<double>(gone) / elapsed;
  const double left = static_cast<double>(to_do - gone) / rate;
  // Of a few devices with keys of very different cost nobody can tell seconds.
  const std::string_view about = gone < 10 && left > 10 ? "about " : "";
  const int digits = rate < 0.1 ? 3 : rate < 10 ? 1 : 0;
  return fmt::format("{}, {:.{}f}/s, {}{} left", head, rate, digits, about, duration_text(left));
}

std::string duration_text(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min", (whole + 30) / 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace imprint::cli
