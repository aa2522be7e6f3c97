#include <csignal>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "imprint/base/file.hpp"
#include "imprint/base/folder_lock.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint {
namespace {

using test::FailsWith;
using test::IsOk;
using test::TempDir;

/// A child that holds the lock until it is killed.
class Holder {
 public:
  explicit Holder(const fs::path& lock) {
    int ready[2] = {-1, -1};
    if (::pipe2(ready, O_CLOEXEC) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      const auto held = DirectoryLock::acquire(lock);
      const char answer = held ? 'y' : 'n';
      if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
      for (;;)
        ::pause();
    }
    char answer = 'n';
    const ssize_t count = ::read(ready[0], &answer, 1);
    holds_ = count == 1 && answer == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }

  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  ~Holder() { kill(); }

  [[nodiscard]] bool holds() const noexcept { return holds_; }

  [[nodiscard]] pid_t pid() const noexcept { return child_; }

  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

 private:
  pid_t child_ = -1;
  bool holds_ = false;
};

TEST(DirectoryLock, AnotherProcessIsToldWhoHoldsIt) {
  const TempDir dir;
  const Holder holder(dir / "lock");
  ASSERT_TRUE(holder.holds());
  EXPECT_THAT(DirectoryLock::acquire(dir / "lock"),
              FailsWith(Code::busy, "lock' is held by another run (process " +
                                        std::to_string(holder.pid()) + "); wait for it to end"));
}

TEST(DirectoryLock, DiesWithItsHolder) {
  const TempDir dir;
  Holder holder(dir / "lock");
  ASSERT_TRUE(holder.holds());
  holder.kill();
  EXPECT_THAT(DirectoryLock::acquire(dir / "lock"), IsOk());
}

TEST(DirectoryLock, IsExclusiveWithinOneProcessToo) {
  const TempDir dir;
  {
    const auto held = DirectoryLock::acquire(dir / "lock");
    ASSERT_THAT(held, IsOk());
    EXPECT_THAT(DirectoryLock::acquire(dir / "lock"), FailsWith(Code::busy, "is held by"));
  }
  EXPECT_THAT(DirectoryLock::acquire(dir / "lock"), IsOk());
}

TEST(DirectoryLock, ForgetsThePreviousHolder) {
  const TempDir dir;
  const fs::path path = dir.write("lock", "99999999999\n");
  ASSERT_THAT(DirectoryLock::acquire(path), IsOk());
  EXPECT_EQ(test::slurp(path), std::to_string(::getpid()) + "\n");
}

TEST(DirectoryLock, NamesTheDirectoryThatIsMissing) {
  EXPECT_THAT(DirectoryLock::acquire("/nonexistent/lock"),
              FailsWith(Code::not_found, "creating '/nonexistent/lock'"));
}

TEST(DirectoryLock, RefusesWhatIsNoFile) {
  const TempDir dir;
  EXPECT_THAT(DirectoryLock::acquire(dir.path()),
              FailsWith(Code::invalid_input, "is not a regular file"));
}

/// Another process that, once told to, waits for the lock and writes a file into the folder. Made
/// before anybody has the lock: a child inherits it.
class Writer {
 public:
  explicit Writer(const fs::path& folder) {
    int start[2] = {-1, -1};
    if (::pipe2(start, O_CLOEXEC) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      char go = 0;
      if (::read(start[0], &go, 1) != 1) ::_exit(2);
      const auto lock = FolderLock::acquire(folder);
      const bool written = lock && write_file_atomic(folder / "written", bytes_of("x"), 0600);
      ::_exit(written ? 0 : 1);
    }
    ::close(start[0]);
    start_ = start[1];
  }

  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  ~Writer() {
    ::close(start_);
    if (child_ > 0) ended_well();
  }

  /// Long enough for a lock that does not hold to show.
  void start() const {
    EXPECT_EQ(::write(start_, "x", 1), 1);
    ::usleep(50'000);
  }

  bool ended_well() {
    int status = -1;
    const bool ended = ::waitpid(child_, &status, 0) == child_;
    child_ = -1;
    return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t child_ = -1;
  int start_ = -1;
};

TEST(FolderLock, OthersWaitAndNoFileIsLeft) {
  const TempDir dir;
  Writer writer(dir.path());
  {
    const auto lock = FolderLock::acquire(dir.path());
    ASSERT_THAT(lock, IsOk());
    writer.start();
    EXPECT_TRUE(fs::is_empty(dir.path()));
  }
  EXPECT_TRUE(writer.ended_well());
  EXPECT_TRUE(fs::exists(dir / "written"));
}

TEST(FolderLock, IsOnTheFolderThatHasTheNameInTheEnd) {
  const TempDir dir;
  fs::create_directory(dir / "folder");
  Writer writer(dir / "folder");
  const auto after = [&] {
    const auto lock = FolderLock::acquire(dir / "folder");
    EXPECT_THAT(lock, IsOk());
    writer.start();
    fs::rename(dir / "folder", dir / "before");
    fs::create_directory(dir / "folder");
    return FolderLock::acquire(dir / "folder");
  }();
  ASSERT_THAT(after, IsOk());
  ::usleep(50'000);
  EXPECT_TRUE(fs::is_empty(dir / "folder")) << "the writer has the lock of what was there before";
}

TEST(FolderLock, NamesTheFolderThatIsMissing) {
  EXPECT_THAT(FolderLock::acquire("/nonexistent"),
              FailsWith(Code::not_found, "opening the folder '/nonexistent'"));
}

}  // namespace
}  // namespace imprint
