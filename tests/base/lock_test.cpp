#include <csignal>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "imprint/base/file.hpp"
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

}  // namespace
}  // namespace imprint
