#pragma once

#include <cstddef>
#include <functional>

namespace imprint::pipeline {

/// The one place that owns parallelism: groups of devices go through five stages, several groups at
/// a time.
///
/// Groups are numbered slots (0 .. in_flight-1) that the caller owns and that are used again and
/// again, so work in flight is bounded and buffers are reused. Ordered stages see the groups in the
/// order in which `produce` filled them and never run twice at once; parallel stages run on as many
/// threads as there are jobs. No stage may throw.
struct Flow {
  /// Fills a slot; false when there is nothing left (or the run was asked to stop). Ordered.
  std::function<bool(std::size_t slot)> produce;
  std::function<void(std::size_t slot)> mint;    ///< parallel
  std::function<void(std::size_t slot)> record;  ///< ordered
  std::function<void(std::size_t slot)> place;   ///< parallel
  std::function<void(std::size_t slot)> finish;  ///< ordered; afterwards the slot is free again
};

/// Threads that a flow of so many jobs runs on. One job is one thread. From two on there is one
/// more, because the ordered stages wait for the disk: measured with 100,000 overlays on two cores,
/// a core stood idle for a quarter of the time without it.
[[nodiscard]] constexpr unsigned flow_threads(unsigned jobs) noexcept {
  return jobs < 2 ? 1 : jobs + 1;
}

/// Runs until `produce` says false and every group has finished. `jobs` >= 1; flow_threads(jobs)
/// threads in all, the caller's included.
void run_flow(const Flow& flow, unsigned jobs, std::size_t in_flight);

/// Index of the calling worker inside run_flow, 0 .. flow_threads(jobs)-1: for per-worker state (a
/// Minter, say).
[[nodiscard]] std::size_t current_worker() noexcept;

}  // namespace imprint::pipeline
