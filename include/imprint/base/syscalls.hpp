#pragma once

#include <functional>
#include <string_view>
#include <sys/types.h>

/// Every system call by which imprint changes the outside world goes through here, so that tests
/// can make the Nth one fail, or end the process there. (SQLite does its own I/O and is not
/// covered.)
namespace imprint::sys {

/// Called before each changing system call with its name ("pwrite", "fsync", "rename", ...).
/// A non-zero return is the errno with which that call fails instead of running.
using FaultHook = std::function<int(std::string_view operation)>;

/// Installs a hook (empty: none). For tests; not thread-safe against running operations.
void set_fault_hook(FaultHook hook);

/// Same contracts as the calls of the same name, EINTR retried.
int open_write(const char* path, int flags, unsigned mode);
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset);
int ftruncate(int fd, off_t size);
int fchmod(int fd, unsigned mode);
int fchown(int fd, uid_t user, gid_t group);
int fsync(int fd);
/// Syncs the whole file system that `fd` is on.
int syncfs(int fd);
int rename(const char* from, const char* to);
/// renameat2 RENAME_EXCHANGE: the two change places in one step.
int exchange(const char* one, const char* other);
int link(const char* from, const char* to);
int unlink(const char* path);
int mkdir(const char* path, unsigned mode);
/// ioctl FICLONE: `destination` shares all extents of `source`.
int ficlone(int destination, int source);
ssize_t copy_file_range(int from, off_t* from_offset, int to, off_t* to_offset, size_t size);

}  // namespace imprint::sys
