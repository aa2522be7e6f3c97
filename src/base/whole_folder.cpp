// A folder in one step. rename(2) does that for a folder that is new, and RENAME_EXCHANGE for one
// that is there: afterwards the work folder holds what was there before and is removed. What stays
// is taken over by hard links, so that nothing is copied and owners stay, whoever runs this.
//
// The work folder's name is fixed, so that what a killed process left is found again, and a lock on
// the folder itself tells whether that process is still alive. Whoever gets the lock looks whether
// the name still leads to the folder that is locked: it may have been published in between.
//
// Modes come last: a folder that its owner may not write, or not even read, could neither be filled
// nor removed by him.

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
#include "remove_tree.hpp"

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

int open_folder(const fs::path& folder) {
  return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/// Locked, and under its name. None: it was published or removed in between.
Result<std::optional<int>> lock_folder(const fs::path& work, const fs::path& target) {
  int fd = open_folder(work);
  if (fd < 0 && errno == EACCES) {
    if (!let_in(work)) {
      return fail(system_error(fmt::format("{} was left by another user's run and has to be "
                                           "removed first",
                                           quoted(work.native())),
                               EACCES));
    }
    fd = open_folder(work);
  }
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
    error = remove_tree(entries->path());
    if (error) break;
  }
  if (error) return fail(trouble("clearing what a run has left in", folder, error.value()));
  return {};
}

/// What was kept stands where a folder has to be.
Error no_folder(const fs::path& shown, bool is_link) {
  if (!is_link) return {Code::invalid_input, quoted(shown.native()) + " exists and is no folder"};
  return {Code::invalid_input,
          fmt::format("{} is a symbolic link, and what is below it could not be exchanged in one "
                      "step; put the folder itself there",
                      quoted(shown.native()))};
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

Result<> refuse_dangling_link(const fs::path& path) {
  std::error_code error;
  const fs::path leads_to = fs::read_symlink(path, error);
  if (error || fs::exists(path, error) || error) return {};
  return fail(Code::invalid_input,
              fmt::format("{} is a symbolic link to {}, which does not exist; make that first, or "
                          "remove the link",
                          quoted(path.native()), quoted(leads_to.native())));
}

Result<WholeFolder> WholeFolder::beside(const fs::path& target, unsigned mode) {
  fs::path place = IMPRINT_TRY(resolve(target));
  struct stat status = {};
  const bool exists = ::stat(place.c_str(), &status) == 0;
  if (!exists && errno != ENOENT && errno != ENOTDIR) return fail(trouble("looking at", target));
  if (!exists) IMPRINT_TRY(refuse_dangling_link(place));
  if (exists && !S_ISDIR(status.st_mode)) {
    return fail(Code::invalid_input, quoted(target.native()) + " exists and is no folder");
  }
  if (exists) IMPRINT_TRY(refuse_working_directory(target, place));
  IMPRINT_TRY(make_directories(place.parent_path(), mode));
  fs::path work = place.parent_path() / ("." + place.filename().native() + ".new");
  const int lock = IMPRINT_TRY(make_work_folder(work, target));
  WholeFolder folder(std::move(place), std::move(work), lock, exists);
  // Beyond this point the destructor clears away.
  Attributes& own = folder.folders_[fs::path()];
  own.mode = exists ? status.st_mode & 07777U : mode;
  if (exists) own.owner = Owner{status.st_uid, status.st_gid};
  return folder;
}

WholeFolder::WholeFolder(WholeFolder&& other) noexcept
    : target_(std::move(other.target_)),
      work_(std::move(other.work_)),
      lock_(std::exchange(other.lock_, -1)),
      replaces_(other.replaces_),
      folders_(std::move(other.folders_)) {}

// In cleanup the first error is the one that counts; what stays, the next run clears away.
WholeFolder::~WholeFolder() {
  if (lock_ < 0) return;
  static_cast<void>(remove_tree(work_));
  ::close(lock_);
}

/// Step by step: what a link that was kept leads to is not in the work folder.
Result<> WholeFolder::make_folder(const fs::path& folder) {
  if (folder.empty()) return {};
  IMPRINT_TRY(make_folder(folder.parent_path()));
  const fs::path path = work_ / folder;
  if (sys::mkdir(path.c_str(), 0755) == 0) {
    folders_[folder] = {.mode = std::nullopt, .owner = folders_.at(fs::path()).owner};
    return {};
  }
  if (errno != EEXIST) return fail(trouble("making the folder", path));
  struct stat status = {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  return fail(no_folder(target_ / folder, S_ISLNK(status.st_mode)));
}

Result<> WholeFolder::write(const fs::path& file, ByteView content, unsigned mode,
                            const std::optional<Owner>& owner) {
  IMPRINT_TRY(make_folder(file.parent_path()));
  File made = IMPRINT_TRY(File::create_new(work_ / file, mode));
  IMPRINT_TRY(made.write_all(0, content));
  if (owner) IMPRINT_TRY(give_to(made.fd(), *owner, made.path()));
  IMPRINT_TRY(made.sync());
  return made.close();
}

Result<Ownership> WholeFolder::replace(const fs::path& file, ByteView content, unsigned mode) {
  struct stat before = {};
  const bool is_there = replaces_ && ::lstat((target_ / file).c_str(), &before) == 0;
  if (!is_there || !S_ISREG(before.st_mode)) {
    IMPRINT_TRY(write(file, content, mode));
    return Ownership::same;
  }
  const Owner owner{before.st_uid, before.st_gid};
  IMPRINT_TRY(write(file, content, mode, owner));
  const fs::path made = work_ / file;
  if (IMPRINT_TRY(owner_of(made)) != owner) return Ownership::lost;
  // Only now: before, the group would have been ours.
  if ((before.st_mode & S_IRGRP) != 0 && ::chmod(made.c_str(), mode | S_IRGRP) != 0)
    return fail(trouble("setting the mode of", made));
  const bool ours = owner == Owner{::geteuid(), ::getegid()};
  return ours ? Ownership::same : Ownership::given;
}

Result<> WholeFolder::keep(const fs::path& from, const fs::path& to) {
  IMPRINT_TRY(make_folder(to.parent_path()));
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
    IMPRINT_TRY(make_folder(name));
    struct stat status = {};
    if (::lstat((target_ / name).c_str(), &status) != 0)
      return fail(trouble("looking at", target_ / name));
    folders_[name] = {.mode = status.st_mode & 07777U,
                      .owner = Owner{status.st_uid, status.st_gid}};
    IMPRINT_TRY(keep_below(name, left_out));
  }
  if (!error) return {};
  const fs::path shown = folder.empty() ? target_ : target_ / folder;
  return fail(trouble("reading the folder", shown, error.value()));
}

Result<> WholeFolder::finish_folder(const fs::path& folder, const Attributes& attributes) const {
  const fs::path path = folder.empty() ? work_ : work_ / folder;
  const int fd = open_folder(path);
  if (fd < 0) return fail(trouble("opening", path));
  Result<> done;
  if (attributes.owner) done = give_to(fd, *attributes.owner, path);
  if (done && attributes.mode && sys::fchmod(fd, *attributes.mode) != 0)
    done = fail(trouble("setting the mode of", path));
  // EINVAL: a file system that cannot sync directories and need not be told to.
  if (done && sys::fsync(fd) != 0 && errno != EINVAL) done = fail(trouble("syncing", path));
  ::close(fd);
  return done;
}

Result<> WholeFolder::publish() {
  // A folder comes before what is below it: from behind, nothing is shut before it is done.
  for (auto entry = folders_.rbegin(); entry != folders_.rend(); ++entry)
    IMPRINT_TRY(finish_folder(entry->first, entry->second));
  IMPRINT_TRY(change_places());
  if (Result<> synced = sync_directory(target_.parent_path()); !synced) {
    // A failure has to leave things as they were; should that fail too, the first error counts.
    (void)(replaces_ ? sys::exchange(work_.c_str(), target_.c_str())
                     : sys::rename(target_.c_str(), work_.c_str()));
    return synced;
  }
  // Beyond this point it is done: what follows can only fail to tidy up.
  if (replaces_) static_cast<void>(remove_tree(work_));
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
