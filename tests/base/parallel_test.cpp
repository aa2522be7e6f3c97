#include "imprint/base/parallel.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

namespace imprint {
namespace {

class RunInOrder : public testing::TestWithParam<unsigned> {};

TEST_P(RunInOrder, TakesEveryResultInItsTurn) {
  constexpr std::size_t kCount = 500;
  std::vector<std::size_t> slots(7);
  std::vector<std::size_t> taken;
  const std::atomic<bool> stop = false;
  const bool complete =
      run_in_order(kCount, GetParam(),
                   {.slots = slots.size(),
                    .work =
                        [&](std::size_t item, std::size_t slot) {
                          // Later items are done sooner.
                          if (item % 5 == 0)
                            std::this_thread::sleep_for(std::chrono::microseconds(200));
                          slots[slot] = item * item;
                        },
                    .take =
                        [&](std::size_t item, std::size_t slot) {
                          EXPECT_EQ(slots[slot], item * item);
                          taken.push_back(item);
                        }},
                   stop);
  EXPECT_TRUE(complete);
  std::vector<std::size_t> all(kCount);
  std::iota(all.begin(), all.end(), std::size_t{0});
  EXPECT_EQ(taken, all);
}

TEST_P(RunInOrder, StopsWithWhatWasBegun) {
  std::atomic<bool> stop = false;
  std::atomic<std::size_t> begun = 0;
  std::size_t taken = 0;
  const bool complete =
      run_in_order(1000, GetParam(),
                   {.slots = 8,
                    .work =
                        [&](std::size_t item, std::size_t /*slot*/) {
                          ++begun;
                          if (item == 20) stop = true;
                        },
                    .take = [&](std::size_t /*item*/, std::size_t /*slot*/) { ++taken; }},
                   stop);
  EXPECT_FALSE(complete);
  EXPECT_EQ(taken, begun.load());
  EXPECT_GE(taken, 21U);
  EXPECT_LE(taken, 21U + 8U + GetParam());
}

TEST_P(RunInOrder, DoesNothingForNothing) {
  const std::atomic<bool> stop = false;
  const auto fail = [](std::size_t /*item*/, std::size_t /*slot*/) { FAIL(); };
  EXPECT_TRUE(run_in_order(0, GetParam(), {.slots = 1, .work = fail, .take = fail}, stop));
}

INSTANTIATE_TEST_SUITE_P(Threads, RunInOrder, testing::Values(1U, 2U, 8U));

TEST(RunInOrderThreads, WorkIsDoneByAsManyAsWereAskedFor) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  const std::atomic<bool> stop = false;
  run_in_order(8, 4,
               {.slots = 8,
                .work =
                    [&](std::size_t /*item*/, std::size_t /*slot*/) {
                      {
                        const std::lock_guard lock(mutex);
                        threads.insert(std::this_thread::get_id());
                      }
                      std::this_thread::sleep_for(std::chrono::milliseconds(50));
                    },
                .take = [](std::size_t /*item*/, std::size_t /*slot*/) {}},
               stop);
  EXPECT_EQ(threads.size(), 4U);
}

TEST(UsableCpus, AreThoseOfThisProcess) {
  EXPECT_GE(usable_cpus(), 1U);
}

}  // namespace
}  // namespace imprint
