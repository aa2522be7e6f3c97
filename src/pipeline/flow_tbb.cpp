// The flow on oneTBB: a parallel_pipeline inside an arena of its own, so that `jobs` holds whatever
// else the process does. Slots are handed round by a free list: TBB's token limit bounds how many
// are out at once.

#include <mutex>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>
#include <optional>
#include <vector>

#include "flow.hpp"

namespace imprint::pipeline {

namespace {

class SlotPool {
 public:
  explicit SlotPool(std::size_t count) {
    for (std::size_t slot = count; slot > 0; --slot)
      free_.push_back(slot - 1);
  }

  std::size_t take() {
    const std::lock_guard lock(mutex_);
    const std::size_t slot = free_.back();
    free_.pop_back();
    return slot;
  }

  void give_back(std::size_t slot) {
    const std::lock_guard lock(mutex_);
    free_.push_back(slot);
  }

 private:
  std::mutex mutex_;
  std::vector<std::size_t> free_;
};

}  // namespace

void run_flow(const Flow& flow, unsigned jobs, std::size_t in_flight) {
  using tbb::filter_mode;
  using tbb::make_filter;
  SlotPool slots(in_flight);

  const auto produce = [&](tbb::flow_control& control) -> std::size_t {
    const std::size_t slot = slots.take();
    if (flow.produce(slot)) return slot;
    slots.give_back(slot);
    control.stop();
    return 0;
  };
  const auto stage = [](const std::function<void(std::size_t)>& work) {
    return [&work](std::size_t slot) {
      work(slot);
      return slot;
    };
  };
  const auto finish = [&](std::size_t slot) {
    flow.finish(slot);
    slots.give_back(slot);
  };

  // TBB would not start more threads than the machine has cores unless it is told that it may.
  const unsigned threads = flow_threads(jobs);
  const tbb::global_control allow(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    tbb::parallel_pipeline(
        in_flight,
        make_filter<void, std::size_t>(filter_mode::serial_in_order, produce) &
            make_filter<std::size_t, std::size_t>(filter_mode::parallel, stage(flow.mint)) &
            make_filter<std::size_t, std::size_t>(filter_mode::serial_in_order,
                                                  stage(flow.record)) &
            make_filter<std::size_t, std::size_t>(filter_mode::parallel, stage(flow.place)) &
            make_filter<std::size_t, void>(filter_mode::serial_in_order, finish));
  });
}

std::size_t current_worker() noexcept {
  const int index = tbb::this_task_arena::current_thread_index();
  return index < 0 ? 0 : static_cast<std::size_t>(index);
}

}  // namespace imprint::pipeline
