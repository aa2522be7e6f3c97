#include "flow.hpp"

#include <atomic>
#include <mutex>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace imprint::pipeline {
namespace {

/// Counts groups through all stages and notes what the promises of Flow forbid.
class Recorder {
 public:
  explicit Recorder(std::size_t groups, std::size_t slots)
      : groups_(groups),
        group_in_slot_(slots) {}

  Flow flow() {
    return {
        .produce =
            [this](std::size_t slot) {
              if (produced == groups_) return false;
              in_flight_now(+1);
              group_in_slot_[slot] = produced++;
              return true;
            },
        .mint = [this](std::size_t slot) { parallel(slot); },
        .record = [this](std::size_t slot) { recorded.push_back(group_in_slot_[slot]); },
        .place = [this](std::size_t slot) { parallel(slot); },
        .finish =
            [this](std::size_t slot) {
              finished.push_back(group_in_slot_[slot]);
              in_flight_now(-1);
            },
    };
  }

  std::size_t produced = 0;
  std::vector<std::size_t> recorded;
  std::vector<std::size_t> finished;
  std::atomic<std::size_t> parallel_calls{0};
  std::size_t most_in_flight = 0;
  std::set<std::size_t> workers;

 private:
  void parallel(std::size_t slot) {
    ++parallel_calls;
    // Uneven work, so that groups overtake each other between the ordered stages.
    volatile std::size_t spin = (group_in_slot_[slot] % 7) * 1000;
    while (spin > 0)
      spin = spin - 1;
    const std::lock_guard lock(mutex_);
    workers.insert(current_worker());
  }

  void in_flight_now(int change) {
    const std::lock_guard lock(mutex_);
    in_flight_ += static_cast<std::size_t>(change);
    most_in_flight = std::max(most_in_flight, in_flight_);
  }

  std::size_t groups_;
  std::vector<std::size_t> group_in_slot_;
  std::mutex mutex_;
  std::size_t in_flight_ = 0;
};

std::vector<std::size_t> counting(std::size_t n) {
  std::vector<std::size_t> numbers(n);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

TEST(Flow, OrderedStagesSeeEveryGroupOnceInOrder) {
  for (const unsigned jobs : {1U, 2U, 4U}) {
    Recorder recorder(500, jobs + 2);
    run_flow(recorder.flow(), jobs, jobs + 2);
    EXPECT_EQ(recorder.recorded, counting(500)) << jobs << " jobs";
    EXPECT_EQ(recorder.finished, counting(500)) << jobs << " jobs";
    EXPECT_EQ(recorder.parallel_calls, 1000U) << jobs << " jobs";
  }
}

TEST(Flow, NeverHasMoreGroupsInFlightThanSlots) {
  Recorder recorder(300, 3);
  run_flow(recorder.flow(), 2, 3);
  EXPECT_LE(recorder.most_in_flight, 3U);
  EXPECT_GE(recorder.most_in_flight, 1U);
}

TEST(Flow, WorkersAreNumberedBelowThreads) {
  Recorder recorder(300, 4);
  run_flow(recorder.flow(), 2, 4);
  for (const std::size_t worker : recorder.workers)
    EXPECT_LT(worker, flow_threads(2));
}

TEST(Flow, NothingToProduceIsNothingToDo) {
  Recorder recorder(0, 2);
  run_flow(recorder.flow(), 2, 2);
  EXPECT_TRUE(recorder.finished.empty());
  EXPECT_EQ(recorder.parallel_calls, 0U);
}

}  // namespace
}  // namespace imprint::pipeline
