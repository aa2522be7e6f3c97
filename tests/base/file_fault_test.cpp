// The anomaly loop over imprint's own file operations: each changing system call fails once, then
// from there on, and the world must show the old state or the new one.

#include <gtest/gtest.h>

#include "imprint/base/file.hpp"
#include "support/fault.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint {
namespace {

using test::FailNth;
using test::FailsWith;
using test::IsOk;
using test::slurp;
using test::TempDir;

std::size_t entries(const fs::path& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

class FileFault : public testing::TestWithParam<bool> {};

TEST_P(FileFault, AtomicWriteLeavesOldOrNewAfterEachFailure) {
  const bool persistent = GetParam();
  int nth = 1;
  for (;; ++nth) {
    SCOPED_TRACE("failing call " + std::to_string(nth));
    ASSERT_LT(nth, 20) << "the loop does not end";
    const TempDir dir;
    const fs::path path = dir.write("f", "old");
    bool fired = false;
    {
      const FailNth fault(nth, ENOSPC, persistent);
      const auto written = write_file_atomic(path, bytes_of("new"), 0600);
      fired = fault.fired();
      if (fired) {
        EXPECT_THAT(written, FailsWith(Code::no_space, "No space left on device"));
      } else {
        EXPECT_THAT(written, IsOk());
      }
    }
    const std::string content = slurp(path);
    EXPECT_TRUE(content == "old" || content == "new") << content;
    // Only where removing fails as well can the temporary file stay.
    if (!persistent) {
      EXPECT_EQ(entries(dir.path()), 1U);
    }
    EXPECT_THAT(write_file_atomic(path, bytes_of("again"), 0600), IsOk());
    EXPECT_EQ(slurp(path), "again");
    if (!fired) break;
  }
  EXPECT_EQ(nth, 7) << "open, fchmod, pwrite, fsync, rename, fsync of the directory";
}

INSTANTIATE_TEST_SUITE_P(OnceAndPersistently, FileFault, testing::Bool());

TEST(FileFaultOrder, ContentIsSyncedBeforeItIsSeen) {
  const TempDir dir;
  std::vector<std::string> operations;
  {
    const test::ScopedFaultHook hook(test::record_operations(operations));
    ASSERT_THAT(write_file_atomic(dir / "f", bytes_of("x"), 0600), IsOk());
  }
  const std::vector<std::string> expected = {"open",  "fchmod", "pwrite",
                                             "fsync", "rename", "fsync"};
  EXPECT_EQ(operations, expected);
}

TEST(FileFaultErrors, FailedCallsNameThePath) {
  const TempDir dir;
  File file = File::create_new(dir / "f", 0600).value();
  const FailNth fault(1, EIO, true);
  const std::string name = (dir / "f").native();
  EXPECT_THAT(file.write_all(0, bytes_of("x")), FailsWith(Code::io, "writing '" + name));
  EXPECT_THAT(file.resize(5), FailsWith(Code::io, "resizing '" + name));
  EXPECT_THAT(file.sync(), FailsWith(Code::io, "syncing '" + name));
  EXPECT_THAT(remove_file(dir / "f"), FailsWith(Code::io, "removing '" + name));
  EXPECT_THAT(make_directories(dir / "d"), FailsWith(Code::io, "making the directory '"));
  EXPECT_THAT(sync_directory(dir.path()), FailsWith(Code::io, "syncing the directory '"));
}

TEST(FileFaultErrors, FileSystemsWithoutDirectorySyncAreNoError) {
  const TempDir dir;
  const FailNth fault(1, EINVAL);
  EXPECT_THAT(sync_directory(dir.path()), IsOk());
  EXPECT_TRUE(fault.fired());
}

}  // namespace
}  // namespace imprint
