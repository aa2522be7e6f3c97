#include "imprint/base/syscalls.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace imprint::sys {
namespace {

FaultHook& fault_hook() {
  static FaultHook hook;
  return hook;
}

/// Runs `call` unless the hook says otherwise, again as long as a signal interrupts it.
template <class Call>
auto guarded(std::string_view operation, Call call) -> decltype(call()) {
  if (const FaultHook& hook = fault_hook()) {
    if (const int error_number = hook(operation); error_number != 0) {
      errno = error_number;
      return -1;
    }
  }
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

}  // namespace

void set_fault_hook(FaultHook hook) {
  fault_hook() = std::move(hook);
}

int open_write(const char* path, int flags, unsigned mode) {
  return guarded("open", [&] { return ::open(path, flags, mode); });
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return guarded("pwrite", [&] { return ::pwrite(fd, data, size, offset); });
}

int ftruncate(int fd, off_t size) {
  return guarded("ftruncate", [&] { return ::ftruncate(fd, size); });
}

int fchmod(int fd, unsigned mode) {
  return guarded("fchmod", [&] { return ::fchmod(fd, mode); });
}

int fchown(int fd, uid_t user, gid_t group) {
  return guarded("fchown", [&] { return ::fchown(fd, user, group); });
}

int fsync(int fd) {
  return guarded("fsync", [&] { return ::fsync(fd); });
}

int syncfs(int fd) {
  return guarded("syncfs", [&] { return ::syncfs(fd); });
}

int rename(const char* from, const char* to) {
  return guarded("rename", [&] { return ::rename(from, to); });
}

int exchange(const char* one, const char* other) {
  return guarded("exchange",
                 [&] { return ::renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE); });
}

int link(const char* from, const char* to) {
  return guarded("link", [&] { return ::link(from, to); });
}

int unlink(const char* path) {
  return guarded("unlink", [&] { return ::unlink(path); });
}

int mkdir(const char* path, unsigned mode) {
  return guarded("mkdir", [&] { return ::mkdir(path, mode); });
}

int ficlone(int destination, int source) {
  return guarded("ficlone", [&] { return ::ioctl(destination, FICLONE, source); });
}

ssize_t copy_file_range(int from, off_t* from_offset, int to, off_t* to_offset, size_t size) {
  return guarded("copy_file_range",
                 [&] { return ::copy_file_range(from, from_offset, to, to_offset, size, 0); });
}

}  // namespace imprint::sys
