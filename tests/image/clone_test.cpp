#include "imprint/image/clone.hpp"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "image/disk_image.hpp"
#include "support/command.hpp"
#include "support/fault.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;
using test::IsOk;
using test::kMiB;
using test::TempDir;

[[nodiscard]] std::uint64_t allocated_bytes(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

[[nodiscard]] std::string noise(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  for (char& byte : out) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<char>((seed >> 24U) | 1U);  // never zero
  }
  return out;
}

/// 64 MiB and an odd tail: data at the start, a run that is no multiple of a block, zeros written
/// out, a hole at the end.
void make_source(const fs::path& path) {
  File file = File::create_new(path, 0600).value();
  ASSERT_THAT(file.resize(64 * kMiB + 777), IsOk());
  const std::string big = noise((3 * kMiB) + 123, 1);
  ASSERT_THAT(file.write_all(0, bytes_of(big)), IsOk());
  ASSERT_THAT(file.write_all(20 * kMiB + 4000, bytes_of(big)), IsOk());
  ASSERT_THAT(file.write_all(40 * kMiB, bytes_of(std::string(8 * kMiB, '\0'))), IsOk());
  ASSERT_THAT(file.write_all(44 * kMiB, bytes_of("one block of data among zeros")), IsOk());
  ASSERT_THAT(file.write_all(64 * kMiB + 700, bytes_of("tail")), IsOk());
  ASSERT_THAT(file.sync(), IsOk());
}

Result<CloneMethod> clone_file(const fs::path& from, const fs::path& to, bool prefer_reflink) {
  const File source = IMPRINT_TRY(File::open_read(from));
  File target = IMPRINT_TRY(File::create_new(to, 0600));
  const CloneMethod method = IMPRINT_TRY(clone(source, target, prefer_reflink));
  IMPRINT_TRY(target.sync());
  return method;
}

void expect_same(const fs::path& a, const fs::path& b) {
  const auto compared = test::run_command({"cmp", a.native(), b.native()});
  EXPECT_EQ(compared.status, 0) << compared.out << compared.err;
}

TEST(Clone, CopiesEveryByteAndKeepsHoles) {
  const TempDir dir;
  make_source(dir / "from");
  const auto method = clone_file(dir / "from", dir / "to", false);
  ASSERT_THAT(method, IsOk());
  EXPECT_EQ(*method, CloneMethod::sparse_copy);
  expect_same(dir / "from", dir / "to");
  // The 8 MiB of written zeros have become a hole but for one block.
  EXPECT_LT(allocated_bytes(dir / "to"), allocated_bytes(dir / "from") - 7 * kMiB);
}

TEST(Clone, TakesNoMoreRoomThanCpSparse) {
  IMPRINT_NEED_COMMAND("cp");
  const TempDir dir;
  make_source(dir / "from");
  ASSERT_THAT(clone_file(dir / "from", dir / "to", false), IsOk());
  const auto copied = test::run_command({"cp", "--sparse=always", "--reflink=never",
                                         (dir / "from").native(), (dir / "by_cp").native()});
  ASSERT_EQ(copied.status, 0) << copied.err;
  ASSERT_EQ(test::run_command({"sync", (dir / "by_cp").native()}).status, 0);
  EXPECT_LE(allocated_bytes(dir / "to"), allocated_bytes(dir / "by_cp"));
}

TEST(Clone, AnEmptyFileAndAFileOfHoles) {
  const TempDir dir;
  (void)dir.write("empty", "");
  ASSERT_THAT(clone_file(dir / "empty", dir / "empty2", false), IsOk());
  EXPECT_EQ(fs::file_size(dir / "empty2"), 0U);
  (void)dir.write("hole", "");
  fs::resize_file(dir / "hole", 5 * kMiB);
  ASSERT_THAT(clone_file(dir / "hole", dir / "hole2", false), IsOk());
  expect_same(dir / "hole", dir / "hole2");
  EXPECT_EQ(allocated_bytes(dir / "hole2"), 0U);
}

TEST(Clone, FallsBackToACopyWhereExtentsCannotBeShared) {
  const TempDir dir;
  make_source(dir / "from");
  for (const int error_number : {EOPNOTSUPP, EXDEV, EINVAL, ENOTTY}) {
    const test::ScopedFaultHook hook(
        [&](std::string_view operation) { return operation == "ficlone" ? error_number : 0; });
    const auto method = clone_file(dir / "from", dir / std::to_string(error_number), true);
    ASSERT_THAT(method, IsOk());
    EXPECT_EQ(*method, CloneMethod::sparse_copy);
    expect_same(dir / "from", dir / std::to_string(error_number));
  }
}

TEST(Clone, ReportsEveryFailingCall) {
  const TempDir dir;
  make_source(dir / "from");
  const File source = File::open_read(dir / "from").value();
  for (int n = 1;; ++n) {
    File target = File::create_new(dir / std::to_string(n), 0600).value();
    const test::FailNth fault(n, n == 1 ? EIO : ENOSPC);
    const auto result = clone(source, target, true);
    if (!fault.fired()) {
      ASSERT_THAT(result, IsOk());
      break;
    }
    EXPECT_THAT(result,
                FailsWith(n == 1 ? Code::io : Code::no_space, "/" + std::to_string(n) + "'"));
  }
}

TEST(DataRanges, AreWhatIsNoHole) {
  const TempDir dir;
  make_source(dir / "from");
  const File file = File::open_read(dir / "from").value();
  const auto ranges = data_ranges(file);
  ASSERT_THAT(ranges, IsOk());
  ASSERT_FALSE(ranges->empty());
  EXPECT_EQ(ranges->front().offset, 0U);
  std::uint64_t end = 0;
  std::uint64_t total = 0;
  for (const DataRange& range : *ranges) {
    EXPECT_TRUE(range.offset > end || total == 0);
    end = range.offset + range.length_bytes;
    total += range.length_bytes;
  }
  EXPECT_EQ(end, fs::file_size(dir / "from"));
  EXPECT_LT(total, 16 * kMiB);
}

/// An XFS on a loop device: shares extents. Needs root and the tools; skips visibly otherwise.
class ReflinkFileSystem : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root (loop device)";
    IMPRINT_NEED_COMMAND("mkfs.xfs");
    IMPRINT_NEED_COMMAND("mount");
    (void)dir_.write("xfs", "");
    fs::resize_file(dir_ / "xfs", 400 * kMiB);
    ASSERT_EQ(
        test::run_command({"mkfs.xfs", "-q", "-m", "reflink=1", (dir_ / "xfs").native()}).status,
        0);
    fs::create_directory(dir_ / "mnt");
    const auto mounted = test::run_command(
        {"mount", "-o", "loop", (dir_ / "xfs").native(), (dir_ / "mnt").native()});
    if (mounted.status != 0) GTEST_SKIP() << "cannot mount XFS here: " << mounted.err;
    mounted_ = true;
  }

  void TearDown() override {
    if (mounted_) (void)test::run_command({"umount", (dir_ / "mnt").native()});
  }

  TempDir dir_;
  bool mounted_ = false;
};

TEST_F(ReflinkFileSystem, ClonesByReference) {
  const fs::path mount = dir_ / "mnt";
  make_source(mount / "from");
  const auto method = clone_file(mount / "from", mount / "to", true);
  ASSERT_THAT(method, IsOk());
  EXPECT_EQ(*method, CloneMethod::reflink);
  expect_same(mount / "from", mount / "to");

  const auto here = can_reflink(mount / "not" / "made" / "yet");
  ASSERT_THAT(here, IsOk());
  EXPECT_TRUE(*here);
}

TEST(CanReflink, LeavesNothingBehind) {
  const TempDir dir;
  ASSERT_THAT(can_reflink(dir.path()), IsOk());
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 0);
}

TEST(CanReflink, ReportsADirectoryThatCannotBeWritten) {
  const TempDir dir;
  const test::FailNth fault(1, EROFS);
  EXPECT_THAT(can_reflink(dir.path()), FailsWith(Code::io, "making a file in"));
}

}  // namespace
}  // namespace imprint::image
