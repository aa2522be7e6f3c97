#pragma once

#include <cstdint>

/// The part of libguestfs's C interface that is used here. The library is loaded when it is needed,
/// so that neither building nor running imprint depends on it; its ABI never changes (guestfs(3),
/// "API STABILITY"). tests/guestfs/abi_test.cpp holds this against guestfs.h.

struct guestfs_h;
struct guestfs_statns;
struct guestfs_statvfs;
struct guestfs_xattr_list;
struct guestfs_dirent_list;
struct guestfs_version;
struct guestfs_add_drive_opts_argv;
struct guestfs_cryptsetup_open_argv;

namespace imprint::guestfs::abi {

inline constexpr unsigned kCreateNoEnvironment = 1;
/// Library messages, kernel messages, call traces, warnings: all that would go to standard error.
inline constexpr std::uint64_t kEventsToSilence = 0x0010 | 0x0020 | 0x0040 | 0x0200;

struct Statns {
  std::int64_t dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks;
  std::int64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
  std::int64_t spare[6];
};

struct Statvfs {
  std::int64_t bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax;
};

struct Xattr {
  char* name;
  std::uint32_t value_size;
  char* value;
};

struct XattrList {
  std::uint32_t size;
  Xattr* items;
};

struct Dirent {
  std::int64_t inode;
  char type;
  char* name;
};

struct DirentList {
  std::uint32_t size;
  Dirent* items;
};

struct Version {
  std::int64_t major, minor, release;
  char* extra;
};

struct AddDrive {
  std::uint64_t set;  ///< bit n: the nth member below is given
  int read_only;
  const char* format;
  const char* interface;
  const char* name;
  const char* label;
  const char* protocol;
  char* const* server;
  const char* username;
  const char* secret;
  const char* cache_mode;
  const char* discard;
  int copy_on_read;
  int block_size;
};

inline constexpr std::uint64_t kReadOnlySet = 1U << 0;
inline constexpr std::uint64_t kFormatSet = 1U << 1;
inline constexpr std::uint64_t kLabelSet = 1U << 4;
inline constexpr std::uint64_t kCacheModeSet = 1U << 9;
inline constexpr std::uint64_t kDiscardSet = 1U << 10;

struct OpenLuks {
  std::uint64_t set;
  int read_only;
  const char* type;
};

inline constexpr std::uint64_t kOpenReadOnlySet = 1U << 0;

using EventCallback = void (*)(guestfs_h*, void*, std::uint64_t, int, int, const char*, std::size_t,
                               const std::uint64_t*, std::size_t);
using ErrorHandler = void (*)(guestfs_h*, void*, const char*);

}  // namespace imprint::guestfs::abi
