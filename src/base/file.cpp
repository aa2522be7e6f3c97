#include "imprint/base/file.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "imprint/base/syscalls.hpp"
#include "imprint/base/text.hpp"

namespace imprint {
namespace {

[[nodiscard]] std::string named(std::string_view doing, const fs::path& path) {
  return fmt::format("{} {}", doing, quoted(path.native()));
}

[[nodiscard]] Unexpected not_regular(const fs::path& path) {
  return fail(Code::invalid_input, quoted(path.native()) + " is not a regular file");
}

/// The descriptor of an existing regular file. O_NONBLOCK, so that a FIFO is refused and not waited
/// for.
Result<int> open_regular(const fs::path& path, int access) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    // What open(2) says of a directory to be written and of a socket.
    if (errno == EISDIR || errno == ENXIO) return not_regular(path);
    return fail(system_error(named("opening", path)));
  }
  struct stat status = {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return not_regular(path);
  }
  return fd;
}

[[nodiscard]] fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// `.<name>.<random>.tmp`. A long name is cut, so that its temporary name is not refused.
Result<fs::path> temporary_beside(const fs::path& target) {
  std::array<std::byte, 8> random = {};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return fail(system_error("drawing a temporary name for " + quoted(target.native())));
  }
  const std::string suffix = fmt::format(".{}.tmp", to_hex(random));
  std::string name = "." + target.filename().native();
  name.resize(std::min(name.size(), NAME_MAX - suffix.size()));
  return directory_of(target) / (name + suffix);
}

/// Publishing renames, and that would put a file where a device, a FIFO or a socket was: /dev/null
/// for instance, when root asks for it. /dev/stdout is a link to what may be a regular file; it is
/// no name to publish under either.
Result<> check_replaceable(const fs::path& target) {
  struct stat status = {};
  if (::stat(target.c_str(), &status) != 0) return {};  // what is wrong with it, making it tells
  std::error_code no_link;
  const fs::path link = fs::read_symlink(target, no_link);
  const bool is_stream = link.native().starts_with("/proc/");
  if (!is_stream && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) return {};
  return not_regular(target);
}

}  // namespace

File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (is_open()) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

File::~File() {
  if (is_open()) ::close(fd_);
}

Result<File> File::open_read(const fs::path& path) {
  const int fd = IMPRINT_TRY(open_regular(path, O_RDONLY));
  return File(fd, path);
}

Result<File> File::open_read_write(const fs::path& path) {
  const int fd = IMPRINT_TRY(open_regular(path, O_RDWR));
  return File(fd, path);
}

Result<File> File::create_new(const fs::path& path, unsigned mode) {
  const int fd = sys::open_write(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return fail(system_error(named("creating", path)));
  File file(fd, path);
  // The umask can only have taken bits away: the file was never more open than asked for.
  if (sys::fchmod(fd, mode) != 0) {
    Error error = system_error(named("setting the mode of", path));
    sys::unlink(path.c_str());
    return fail(std::move(error));
  }
  return file;
}

Result<File> File::create_unnamed(const fs::path& directory, std::string_view shown) {
  fs::path place = directory.empty() ? fs::path(".") : directory;
  for (;;) {
    const int fd = sys::open_write(place.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd >= 0) return File(fd, place / shown);
    // What file systems say that have no such files: for a moment it has a name.
    if (errno == EOPNOTSUPP || errno == EISDIR) return create_and_unlink(place, shown);
    const fs::path parent = directory_of(place);
    if (errno != ENOENT || parent == place)
      return fail(system_error(named("making a file in", place)));
    place = parent;
  }
}

Result<File> File::create_and_unlink(const fs::path& directory, std::string_view shown) {
  const fs::path name = IMPRINT_TRY(temporary_beside(directory / shown));
  File file = IMPRINT_TRY(create_new(name, 0600));
  if (sys::unlink(name.c_str()) != 0) return fail(system_error(named("removing", name)));
  file.path_ = directory / shown;
  return file;
}

Result<std::uint64_t> File::size_bytes() const {
  struct stat status = {};
  if (::fstat(fd_, &status) != 0) return fail(system_error(named("reading the size of", path_)));
  return static_cast<std::uint64_t>(status.st_size);
}

Result<> File::read_exact(std::uint64_t offset, MutableBytes into) const {
  while (!into.empty()) {
    const ssize_t count = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error(named("reading", path_)));
    if (count == 0) {
      return fail(Code::corrupt, fmt::format("{} ends at byte {}, but {} more are needed",
                                             quoted(path_.native()), offset, into.size()));
    }
    into = into.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<> File::write_all(std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = sys::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) return fail(system_error(named("writing", path_)));
    if (count == 0) return fail(system_error(named("writing", path_), EIO));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<> File::resize(std::uint64_t size_bytes) {
  if (sys::ftruncate(fd_, static_cast<off_t>(size_bytes)) != 0) {
    return fail(system_error(named("resizing", path_)));
  }
  return {};
}

Result<> File::sync() {
  if (sys::fsync(fd_) != 0) return fail(system_error(named("syncing", path_)));
  return {};
}

Result<> File::close() {
  if (!is_open()) return {};
  // After EINTR Linux has closed the descriptor all the same; closing again could hit another file.
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) {
    return fail(system_error(named("closing", path_)));
  }
  return {};
}

Result<NewFile> NewFile::beside(const fs::path& target, unsigned mode) {
  const fs::path name = target.filename();
  if (name.empty() || name == "." || name == "..") {
    return fail(Code::invalid_input, quoted(target.native()) + " is not the name of a file");
  }
  IMPRINT_TRY(check_replaceable(target));
  const fs::path temporary = IMPRINT_TRY(temporary_beside(target));
  File file = IMPRINT_TRY(File::create_new(temporary, mode));
  return NewFile(std::move(file), temporary, target);
}

NewFile::NewFile(NewFile&& other) noexcept
    : file_(std::move(other.file_)),
      temporary_(std::exchange(other.temporary_, {})),
      target_(std::move(other.target_)) {}

NewFile::~NewFile() {
  if (!temporary_.empty()) sys::unlink(temporary_.c_str());
}

Result<> NewFile::publish() {
  IMPRINT_TRY(file_.sync());
  return publish_synced();
}

Result<> NewFile::publish_synced() {
  IMPRINT_TRY(file_.close());
  if (sys::rename(temporary_.c_str(), target_.c_str()) != 0) {
    return fail(system_error(named("publishing", target_)));
  }
  temporary_.clear();
  return {};
}

Result<Bytes> read_file(const fs::path& path, std::uint64_t limit_bytes) {
  const File file = IMPRINT_TRY(File::open_read(path));
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  if (size > limit_bytes) {
    return fail(Code::invalid_input, fmt::format("{} has {} bytes; at most {} are accepted",
                                                 quoted(path.native()), size, limit_bytes));
  }
  Bytes content(size);
  IMPRINT_TRY(file.read_exact(0, content));
  return content;
}

Result<> write_file_atomic(const fs::path& path, ByteView bytes, unsigned mode) {
  NewFile file = IMPRINT_TRY(NewFile::beside(path, mode));
  IMPRINT_TRY(file.file().write_all(0, bytes));
  IMPRINT_TRY(file.publish());
  return sync_directory(directory_of(path));
}

namespace {

/// Opens a directory, applies a sync to it and closes it. The error number of the sync, 0 for none.
Result<int> sync_by(int (*sync)(int fd), const fs::path& directory) {
  const fs::path path = directory.empty() ? fs::path(".") : directory;
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail(system_error(named("opening the directory", path)));
  const int error_number = sync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return error_number;
}

}  // namespace

Result<> sync_directory(const fs::path& directory) {
  const int error_number = IMPRINT_TRY(sync_by(sys::fsync, directory));
  // EINVAL: a file system (some network and FUSE ones) that cannot sync directories and need not be
  // told to.
  if (error_number == 0 || error_number == EINVAL) return {};
  return fail(system_error(named("syncing the directory", directory), error_number));
}

Result<> sync_file_system(const fs::path& directory) {
  const int error_number = IMPRINT_TRY(sync_by(sys::syncfs, directory));
  if (error_number == 0) return {};
  return fail(system_error(named("syncing the file system of", directory), error_number));
}

Result<> make_directories(const fs::path& directory, unsigned mode) {
  if (directory.empty()) return {};
  int status = sys::mkdir(directory.c_str(), mode);
  if (status != 0 && errno == ENOENT && directory.has_parent_path() &&
      directory.parent_path() != directory) {
    IMPRINT_TRY(make_directories(directory.parent_path(), mode));
    status = sys::mkdir(directory.c_str(), mode);
  }
  if (status == 0) return {};
  const int error_number = errno;
  if (error_number == EEXIST) {
    std::error_code ignored;  // what cannot be looked at is no directory for us
    if (fs::is_directory(directory, ignored)) return {};
    return fail(Code::invalid_input, quoted(directory.native()) + " exists and is no directory");
  }
  return fail(system_error(named("making the directory", directory), error_number));
}

Result<bool> path_exists(const fs::path& path) {
  std::error_code error;
  const bool there = fs::exists(path, error);
  if (!error) return there;
  return fail(system_error(fmt::format("looking for {}", quoted(path.native())), error.value()));
}

Result<> remove_file(const fs::path& path) {
  if (sys::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail(system_error(named("removing", path)));
  }
  return {};
}

Result<std::uint64_t> free_space_bytes(const fs::path& path) {
  struct statvfs status = {};
  fs::path probe = path.empty() ? fs::path(".") : path;
  while (::statvfs(probe.c_str(), &status) != 0) {
    if ((errno != ENOENT && errno != ENOTDIR) || probe == directory_of(probe)) {
      return fail(system_error(named("asking for the free space of", path)));
    }
    probe = directory_of(probe);
  }
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace imprint
