// A folder in one step. rename(2) does that for a folder that is new, and RENAME_EXCHANGE for one
// that is there: afterwards the work folder holds what was there before and is removed. What stays
// is taken over by hard links, so that nothing is copied and owners stay, whoever runs this.
//
// The work folder's name is fixed, so that what a killed process left is found again, and a lock on
// the folder itself tells whether that process is still alive. Whoever gets the lock looks whether
// the name still leads to the folder that is locked: it may have been published in between.

#include "imprint/base/whole_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "imprint/base/syscalls.hpp"
#include "imprint/base/text.hpp"

namespace imprint {

namespace {

Error trouble(std::string_view doing, const fs::path& path, int error_number = errno) {
  return system_error(fmt::format("{} {}", doing, quoted(path.native())), error_number);
}

/// `out/` and `link-to-out` as `/somewhere/out`; the last part need not exist.
Result<fs::path> resolve(const fs::path& target) {
  std::error_code error;
  fs::path resolved = fs::weakly_canonical(target, error);
  if (error) return fail(trouble("resolving", target, error.value()));
  if (!resolved.has_filename()) resolved = resolved.parent_path();
  if (!resolved.has_filename())
    return fail(Code::invalid_input, quoted(target.native()) + " is not the name of a folder");
  return resolved;
}

Result<> refuse_working_directory(const fs::path& shown, const fs::path& target) {
  std::error_code unknown;
  const fs::path here = fs::current_path(unknown);
  const auto [end, rest] = std::mismatch(target.begin(), target.end(), here.begin(), here.end());
  if (unknown || end != target.end()) return {};
  return fail(Code::invalid_input,
              fmt::format("{} is the working directory or above it, and is exchanged as a whole; "
                          "go elsewhere, or name a folder inside of it",
                          quoted(shown.native())));
}

bool same_folder(int fd, const fs::path& path) {
  struct stat opened = {};
  struct stat named = {};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/// Locked, and under its name. None: it was published or removed in between.
Result<std::optional<int>> lock_folder(const fs::path& work, const fs::path& target) {
  const int fd = ::open(work.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::optional<int>();
  if (fd < 0) return fail(trouble("opening", work));
  int status = 0;
  do {
    status = ::flock(fd, LOCK_EX | LOCK_NB);
  } while (status != 0 && errno == EINTR);
  if (status == 0 && same_folder(fd, work)) return std::optional<int>(fd);
  const int error_number = errno;
  ::close(fd);
  if (status == 0) return std::optional<int>();
  if (error_number != EWOULDBLOCK) return fail(trouble("locking", work, error_number));
  return fail(Code::busy, fmt::format("another run is writing {}; wait for it to end",
                                      quoted(target.native())));
}

Result<> clear(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    fs::remove_all(entries->path(), error);
    if (error) break;
  }
  if (error) return fail(trouble("clearing what a run has left in", folder, error.value()));
  return {};
}

/// The work folder, empty and locked.
Result<int> make_work_folder(const fs::path& work, const fs::path& target) {
  for (;;) {
    if (sys::mkdir(work.c_str(), 0700) != 0 && errno != EEXIST)
      return fail(trouble("making the folder", work));
    const std::optional<int> lock = IMPRINT_TRY(lock_folder(work, target));
    if (!lock) continue;
    if (Result<> cleared = clear(work); !cleared) {
      ::close(*lock);
      return fail(std::move(cleared).error());
    }
    return *lock;
  }
}

}  // namespace

Result<WholeFolder> WholeFolder::beside(const fs::path& target, unsigned mode) {
  fs::path place = IMPRINT_TRY(resolve(target));
  struct stat status = {};
  const bool exists = ::stat(place.c_str(), &status) == 0;
  if (exists && !S_ISDIR(status.st_mode)) {
    return fail(Code::invalid_input, quoted(target.native()) + " exists and is no folder");
  }
  if (exists) IMPRINT_TRY(refuse_working_directory(target, place));
  IMPRINT_TRY(make_directories(place.parent_path(), mode));
  fs::path work = place.parent_path() / ("." + place.filename().native() + ".new");
  const int lock = IMPRINT_TRY(make_work_folder(work, target));
  WholeFolder folder(std::move(place), std::move(work), lock, exists);
  // Beyond this point the destructor clears away.
  if (exists && ::fchown(lock, status.st_uid, status.st_gid) != 0 && errno != EPERM)
    return fail(trouble("setting the owner of", folder.work_));
  const unsigned wanted = exists ? status.st_mode & 07777U : mode;
  if (sys::fchmod(lock, wanted) != 0) return fail(trouble("setting the mode of", folder.work_));
  return folder;
}

WholeFolder::WholeFolder(WholeFolder&& other) noexcept
    : target_(std::move(other.target_)),
      work_(std::move(other.work_)),
      lock_(std::exchange(other.lock_, -1)),
      replaces_(other.replaces_) {}

// In cleanup the first error is the one that counts; what stays, the next run clears away.
WholeFolder::~WholeFolder() {
  if (lock_ < 0) return;
  std::error_code ignored;
  fs::remove_all(work_, ignored);
  ::close(lock_);
}

Result<> WholeFolder::make_parent(const fs::path& file) {
  return make_directories((work_ / file).parent_path(), 0755);
}

Result<> WholeFolder::write(const fs::path& file, ByteView content, unsigned mode) {
  IMPRINT_TRY(make_parent(file));
  File made = IMPRINT_TRY(File::create_new(work_ / file, mode));
  IMPRINT_TRY(made.write_all(0, content));
  IMPRINT_TRY(made.sync());
  return made.close();
}

Result<> WholeFolder::keep(const fs::path& from, const fs::path& to) {
  IMPRINT_TRY(make_parent(to));
  if (sys::link((target_ / from).c_str(), (work_ / to).c_str()) == 0) return {};
  return fail(trouble("taking over", target_ / from));
}

Result<> WholeFolder::keep_all_but(const std::set<fs::path>& left_out) {
  return replaces_ ? keep_below({}, left_out) : Result<>();
}

Result<> WholeFolder::keep_below(const fs::path& folder, const std::set<fs::path>& left_out) {
  std::error_code error;
  fs::directory_iterator entries(target_ / folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path name = folder / entries->path().filename();
    if (left_out.contains(name)) continue;
    if (!entries->is_directory(error) || entries->is_symlink(error)) {
      IMPRINT_TRY(keep(name, name));
      continue;
    }
    IMPRINT_TRY(make_directories(work_ / name, 0755));
    fs::permissions(work_ / name, fs::status(target_ / name, error).permissions(), error);
    IMPRINT_TRY(keep_below(name, left_out));
  }
  if (error) return fail(trouble("reading the folder", target_ / folder, error.value()));
  return {};
}

Result<> WholeFolder::publish() {
  std::error_code error;
  fs::recursive_directory_iterator entries(work_, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    if (entries->is_directory(error)) IMPRINT_TRY(sync_directory(entries->path()));
  }
  if (error) return fail(trouble("reading the folder", work_, error.value()));
  IMPRINT_TRY(sync_directory(work_));
  IMPRINT_TRY(change_places());
  if (Result<> synced = sync_directory(target_.parent_path()); !synced) {
    // A failure has to leave things as they were; should that fail too, the first error counts.
    (void)(replaces_ ? sys::exchange(work_.c_str(), target_.c_str())
                     : sys::rename(target_.c_str(), work_.c_str()));
    return synced;
  }
  // Beyond this point it is done: what follows can only fail to tidy up.
  if (replaces_) fs::remove_all(work_, error);
  ::close(std::exchange(lock_, -1));
  return {};
}

Result<> WholeFolder::change_places() {
  const int status = replaces_ ? sys::exchange(work_.c_str(), target_.c_str())
                               : sys::rename(work_.c_str(), target_.c_str());
  if (status == 0) return {};
  if (replaces_ && (errno == EINVAL || errno == ENOSYS)) {
    return fail(Code::unsupported,
                fmt::format("the file system of {} cannot exchange a folder in one step; choose a "
                            "folder on a local disk",
                            quoted(target_.native())));
  }
  return fail(trouble("publishing", target_));
}

}  // namespace imprint
