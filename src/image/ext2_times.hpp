#pragma once

#include <cstdint>

#include "imprint/base/clock.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// Which of an inode's times to set.
struct TimeStamps {
  bool modified = false;
  bool changed = false;
  bool accessed = false;
  bool created = false;
};

/// Sets them to `now` (seconds since 1970), with the bits that go beyond 2038 where the inode has
/// them.
void set_times(FullInode& inode, std::int64_t now, TimeStamps which);

struct InodeTimes {
  TimePoint modified;
  TimePoint accessed;
  TimePoint changed;
};

[[nodiscard]] InodeTimes times_of(FullInode& inode);

}  // namespace imprint::image
