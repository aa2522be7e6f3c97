#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "imprint/base/result.hpp"

/// Two loops run in turn, so that a machine that drifts hits both alike; their medians are
/// compared.
namespace imprint::bench {

/// What one thread does again and again.
using Work = std::function<void()>;

/// Runs each thread's work until time is up, in small steps between looks at the clock. Per second.
inline double rate(const std::vector<Work>& work, std::chrono::milliseconds time, unsigned step) {
  using Clock = std::chrono::steady_clock;
  std::atomic<std::uint64_t> done = 0;
  std::vector<std::jthread> running;
  const Clock::time_point start = Clock::now();
  for (const Work& one : work) {
    running.emplace_back([&] {
      std::uint64_t count = 0;
      while (Clock::now() - start < time) {
        for (unsigned n = 0; n < step; ++n)
          one();
        count += step;
      }
      done += count;
    });
  }
  running.clear();
  return static_cast<double>(done) / std::chrono::duration<double>(Clock::now() - start).count();
}

struct Rounds {
  int count = 7;
  std::chrono::milliseconds time{500};
  unsigned step = 20;
};

/// Median rates of the two.
inline std::pair<double, double> in_turn(const std::vector<Work>& first,
                                         const std::vector<Work>& second, const Rounds& rounds) {
  std::vector<double> a;
  std::vector<double> b;
  for (int round = 0; round < rounds.count; ++round) {
    a.push_back(rate(first, rounds.time, rounds.step));
    b.push_back(rate(second, rounds.time, rounds.step));
  }
  const auto median = [](std::vector<double>& values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
  };
  return {median(a), median(b)};
}

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}\n", result.error().message());
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): no thread runs yet
}

}  // namespace imprint::bench
