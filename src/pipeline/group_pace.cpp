#include "group_pace.hpp"

#include <algorithm>

namespace imprint::pipeline {

namespace {

/// One RSA key takes a fifth of the time or five times the time of another, so a single measurement
/// says little: several are averaged, and the size grows in steps.
constexpr double kNewest = 0.5;
constexpr std::size_t kMostGrowth = 4;

}  // namespace

std::size_t GroupPace::next() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

void GroupPace::measured(std::size_t devices, std::chrono::nanoseconds took) {
  if (devices == 0) return;
  const std::lock_guard lock(mutex_);
  const double each = std::chrono::duration<double>(took).count() / static_cast<double>(devices);
  seconds_each_ = seconds_each_ ? *seconds_each_ + kNewest * (each - *seconds_each_) : each;
  const double target = std::chrono::duration<double>(kTarget).count();
  // Compared as numbers with a fraction: no time at all gives more than an integer holds.
  const double fitting = *seconds_each_ > 0 ? target / *seconds_each_ : static_cast<double>(most_);
  const auto ceiling = std::min(most_, size_ * kMostGrowth);
  size_ = fitting >= static_cast<double>(ceiling)
              ? ceiling
              : std::max<std::size_t>(1, static_cast<std::size_t>(fitting));
}

}  // namespace imprint::pipeline
