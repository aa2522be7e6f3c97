// A lock is flock(2) on a file that stays: the kernel lets go of it however the holder dies, and a
// file that is never removed cannot be locked under two inodes by two processes at once. The file's
// content is the holder's process id, for the message only.

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "imprint/base/file.hpp"
#include "imprint/base/folder_lock.hpp"
#include "imprint/base/text.hpp"

namespace imprint {
namespace {

constexpr unsigned kLockFileMode = 0644;

Result<File> open_or_create(const fs::path& path) {
  for (;;) {
    auto opened = File::open_read_write(path);
    if (opened || opened.error().code != Code::not_found) return opened;
    auto created = File::create_new(path, kLockFileMode);
    // Somebody else may have created it in between; then it can be opened.
    if (created || created.error().code != Code::exists) return created;
  }
}

/// " (process 4711)", or nothing when the holder has not written it yet.
std::string holder_of(const fs::path& path) {
  const auto content = read_file(path, 64);
  if (!content) return {};
  const std::string_view text = text_of(*content);
  long pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end == text.data()) return {};
  return fmt::format(" (process {})", pid);
}

int lock_exclusively(int fd, int how) {
  int status = 0;
  do {
    status = ::flock(fd, LOCK_EX | how);
  } while (status != 0 && errno == EINTR);
  return status;
}

bool has_the_name(int fd, const fs::path& directory) {
  struct stat opened = {};
  struct stat named = {};
  return ::fstat(fd, &opened) == 0 && ::stat(directory.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

Result<FolderLock> FolderLock::acquire(const fs::path& directory) {
  for (;;) {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(system_error("opening the folder " + quoted(directory.native())));
    FolderLock lock(fd);
    if (lock_exclusively(fd, 0) != 0)
      return fail(system_error("locking the folder " + quoted(directory.native())));
    if (has_the_name(fd, directory)) return lock;
  }
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<DirectoryLock> DirectoryLock::acquire(const fs::path& file) {
  auto opened = IMPRINT_TRY(open_or_create(file));
  if (lock_exclusively(opened.fd(), LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(system_error("locking " + quoted(file.native())));
    return fail(Code::busy, fmt::format("{} is held by another run{}; wait for it to end",
                                        quoted(file.native()), holder_of(file)));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  IMPRINT_TRY(opened.resize(0));
  IMPRINT_TRY(opened.write_all(0, bytes_of(pid)));
  return DirectoryLock(std::move(opened));
}

}  // namespace imprint
