// The times of an inode: 32 bits of seconds, and in inodes of more than 128 bytes two more bits
// that carry them from 2038 to 2446 (Documentation/filesystems/ext4/inodes.rst).

#include "ext2_times.hpp"

#include <chrono>
#include <cstddef>

namespace imprint::image {
namespace {

/// Seconds beyond 32 bits, as ext4 keeps them in the low two bits of the *_extra fields.
[[nodiscard]] std::uint32_t epoch_bits(std::int64_t now) {
  const auto low = static_cast<std::int32_t>(static_cast<std::uint32_t>(now));
  return static_cast<std::uint32_t>((now - low) >> 32) & 3U;
}

/// Fields beyond i_extra_isize may be extended attributes: they are left alone.
[[nodiscard]] bool reaches(FullInode& inode, const std::uint32_t& field) {
  if (!inode.has_extra()) return false;
  const auto* start = reinterpret_cast<const char*>(&inode.large());
  const std::size_t end = std::size_t{EXT2_GOOD_OLD_INODE_SIZE} + inode.large().i_extra_isize;
  return reinterpret_cast<const char*>(&field + 1) <= start + end;
}

[[nodiscard]] TimePoint time_of(FullInode& inode, std::uint32_t seconds,
                                const std::uint32_t& more) {
  std::int64_t value = static_cast<std::int32_t>(seconds);
  if (reaches(inode, more)) value += static_cast<std::int64_t>(more & 3U) << 32;
  return TimePoint(std::chrono::seconds(value));
}

}  // namespace

void set_times(FullInode& inode, std::int64_t now, TimeStamps which) {
  const auto low = static_cast<std::uint32_t>(now);
  const std::uint32_t extra = epoch_bits(now);
  ext2_inode_large& large = inode.large();
  const auto set = [&](bool wanted, std::uint32_t& seconds, std::uint32_t& more) {
    if (!wanted) return;
    // Three of the times are in the old 128 bytes, the creation time is not.
    if (&seconds != &large.i_crtime || reaches(inode, seconds)) seconds = low;
    if (reaches(inode, more)) more = extra;
  };
  set(which.accessed, large.i_atime, large.i_atime_extra);
  set(which.changed, large.i_ctime, large.i_ctime_extra);
  set(which.modified, large.i_mtime, large.i_mtime_extra);
  set(which.created, large.i_crtime, large.i_crtime_extra);
}

InodeTimes times_of(FullInode& inode) {
  const ext2_inode_large& large = inode.large();
  return {.modified = time_of(inode, large.i_mtime, large.i_mtime_extra),
          .accessed = time_of(inode, large.i_atime, large.i_atime_extra),
          .changed = time_of(inode, large.i_ctime, large.i_ctime_extra)};
}

}  // namespace imprint::image
