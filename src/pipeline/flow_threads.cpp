// The flow on std::jthread, for the ThreadSanitizer build only: Debian's oneTBB is not
// instrumented, and suppressing its false reports hides real ones. Simpler than the pipeline of
// oneTBB (a worker that is ahead of its turn waits instead of taking other work), with the same
// promises.

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "flow.hpp"

namespace imprint::pipeline {

namespace {

thread_local std::size_t worker_index = 0;

/// Lets group n through when all groups before it have passed.
class Turnstile {
 public:
  template <class Work>
  void pass(std::size_t number, const Work& work) {
    std::unique_lock lock(mutex_);
    turn_.wait(lock, [&] { return next_ == number; });
    work();
    ++next_;
    turn_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  std::size_t next_ = 0;
};

}  // namespace

void run_flow(const Flow& flow, unsigned jobs, std::size_t in_flight) {
  std::mutex produce_mutex;
  std::size_t produced = 0;
  bool exhausted = false;
  Turnstile record_turn;
  Turnstile finish_turn;

  // One slot per worker is enough here: a worker carries its group through all stages.
  const std::size_t workers = std::min<std::size_t>(flow_threads(jobs), in_flight);
  const auto work = [&](std::size_t worker) {
    worker_index = worker;
    const std::size_t slot = worker;
    for (;;) {
      std::size_t number = 0;
      {
        const std::lock_guard lock(produce_mutex);
        if (exhausted) return;
        exhausted = !flow.produce(slot);
        if (exhausted) return;
        number = produced++;
      }
      flow.mint(slot);
      record_turn.pass(number, [&] { flow.record(slot); });
      flow.place(slot);
      finish_turn.pass(number, [&] { flow.finish(slot); });
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t worker = 1; worker < workers; ++worker)
    threads.emplace_back(work, worker);
  work(0);
}

std::size_t current_worker() noexcept {
  return worker_index;
}

}  // namespace imprint::pipeline
