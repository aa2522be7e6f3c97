#include "imprint/base/parallel.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <sched.h>
#include <system_error>
#include <thread>
#include <vector>

namespace imprint {
namespace {

class Crew {
 public:
  Crew(std::size_t count, const OrderedWork& ordered, const std::atomic<bool>& stop)
      : count_(count),
        ordered_(ordered),
        stop_(stop),
        finished_(std::max<std::size_t>(1, ordered.slots), false) {}

  void help() {
    std::unique_lock lock(mutex_);
    while (next_ < count_) {
      // The slot of the next item is free once what was in it has been taken.
      if (next_ - taken_ >= finished_.size()) {
        room_.wait(lock);
        continue;
      }
      if (stop_.load(std::memory_order_relaxed)) return;
      const std::size_t item = next_++;
      const std::size_t slot = item % finished_.size();
      lock.unlock();
      ordered_.work(item, slot);
      lock.lock();
      finished_[slot] = true;
      take_finished(lock);
    }
  }

  [[nodiscard]] bool complete() const noexcept { return taken_ == count_; }

 private:
  /// Whoever finds the next result takes all that are ready; the others go on working.
  void take_finished(std::unique_lock<std::mutex>& lock) {
    if (taking_) return;
    taking_ = true;
    while (taken_ < next_ && finished_[taken_ % finished_.size()]) {
      const std::size_t slot = taken_ % finished_.size();
      lock.unlock();
      ordered_.take(taken_, slot);  // only this thread changes taken_ meanwhile
      lock.lock();
      finished_[slot] = false;
      ++taken_;
      room_.notify_all();
    }
    taking_ = false;
  }

  const std::size_t count_;
  const OrderedWork& ordered_;
  const std::atomic<bool>& stop_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::vector<char> finished_;  // by slot; not bool: each has an address of its own
  std::size_t next_ = 0;
  std::size_t taken_ = 0;
  bool taking_ = false;
};

}  // namespace

unsigned usable_cpus() noexcept {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0)
    return std::max(1U, std::thread::hardware_concurrency());
  return std::max(1U, static_cast<unsigned>(CPU_COUNT(&cpus)));
}

bool run_in_order(std::size_t count, unsigned threads, const OrderedWork& ordered,
                  const std::atomic<bool>& stop) {
  Crew crew(count, ordered, stop);
  {
    std::vector<std::jthread> helpers;
    try {
      for (unsigned i = 1; i < threads && i < count; ++i)
        helpers.emplace_back([&crew] { crew.help(); });
    } catch (const std::system_error&) {
      // The system gives no more threads: it goes on with those that are there.
    }
    crew.help();
  }
  return crew.complete();
}

}  // namespace imprint
