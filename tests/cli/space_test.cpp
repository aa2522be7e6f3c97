// The output's disk is too small, or fills up meanwhile. A small tmpfs stands for it.

#include <csignal>
#include <fstream>
#include <sys/mount.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "settled.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::Process;
using imprint::test::wait_until;
using testing::HasSubstr;
using testing::MatchesRegex;

/// `small/`, a file system of its own.
class SmallDisk {
 public:
  explicit SmallDisk(int mebibytes) {
    fs::create_directory("small");
    mounted_ =
        ::mount("none", "small", "tmpfs", 0, fmt::format("size={}m", mebibytes).c_str()) == 0;
  }

  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  ~SmallDisk() {
    if (mounted_) ::umount2("small", MNT_DETACH);
  }

  [[nodiscard]] bool mounted() const noexcept { return mounted_; }

  /// Takes all the room that is left.
  static void fill() {
    std::ofstream file("small/filler", std::ios::binary);
    const std::string chunk(4096, 'x');
    while (file.write(chunk.data(), static_cast<std::streamsize>(chunk.size())).flush()) {
    }
  }

 private:
  bool mounted_ = false;
};

#define IMPRINT_NEED_SMALL_DISK(disk) \
  if (!(disk).mounted()) GTEST_SKIP() << "needs to mount a small tmpfs, as root"

TEST(BatchSpace, TooLittleRoomIsSaidBeforeAnythingIsWritten) {
  IMPRINT_NEED_IMAGES();
  BatchFolder folder(Variant::empty_b, 20);
  const SmallDisk disk(64);
  IMPRINT_NEED_SMALL_DISK(disk);
  folder.manifest["output"]["directory"] = "small/out";
  folder.save();
  const auto refused = imprint({"batch", "manifest.json"});
  EXPECT_EQ(refused.status, 4);
  EXPECT_THAT(refused.err,
              MatchesRegex("imprint: error: output directory 'small/out': 20 devices need "
                           "[0-9.]+ MiB and 64.0 MiB are free: make room, use --format overlay, or "
                           "--limit\n"));
  EXPECT_FALSE(fs::exists("small/out"));
  EXPECT_EQ(imprint({"batch", "manifest.json", "--format", "overlay"}).status, 0);
}

TEST(BatchSpace, ADecompressedBaseIsCounted) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("zstd");
  BatchFolder folder(Variant::empty_b, 1);
  const auto packed = run_command(
      {"zstd", "-q", "-1", fs::canonical("base.sdimg").string(), "-o", "base.sdimg.zst"});
  ASSERT_EQ(packed.status, 0) << packed.err;
  // Golden image and device fit, a third copy of their data does not.
  const SmallDisk disk(30);
  IMPRINT_NEED_SMALL_DISK(disk);
  folder.manifest["output"]["directory"] = "small/out";
  folder.save();
  const auto refused = imprint({"batch", "manifest.json", "--image", "base.sdimg.zst"});
  EXPECT_EQ(refused.status, 4) << refused.err;
  EXPECT_THAT(refused.err, MatchesRegex("imprint: error: output directory 'small/out': 1 devices "
                                        "need [0-9.]+ MiB and 30.0 MiB are free: .*\n"));
  EXPECT_FALSE(fs::exists("small/out"));
  EXPECT_EQ(imprint({"batch", "manifest.json"}).status, 0);
}

TEST(BatchSpace, ADiskThatIsTooSmallForTheBaseIsSaid) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("zstd");
  BatchFolder folder(Variant::empty_b, 1);
  const auto packed = run_command(
      {"zstd", "-q", "-1", fs::canonical("base.sdimg").string(), "-o", "base.sdimg.zst"});
  ASSERT_EQ(packed.status, 0) << packed.err;
  const SmallDisk disk(4);
  IMPRINT_NEED_SMALL_DISK(disk);
  const auto refused =
      imprint({"batch", "manifest.json", "--image", "base.sdimg.zst", "--output", "small/out"});
  EXPECT_EQ(refused.status, 4);
  EXPECT_EQ(refused.err,
            "imprint: error: --image: decompressing 'base.sdimg.zst': writing "
            "'small/base.sdimg.zst (decompressed)': No space left on device\n");
  EXPECT_EQ(fs::space("small").free, fs::space("small").capacity);
}

TEST(BatchSpace, AFullDiskEndsTheBatchWithoutHalfAnImage) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("sqlite3");
  constexpr int kDevices = 6;
  BatchFolder folder(Variant::empty_b, kDevices);
  const SmallDisk disk(240);
  IMPRINT_NEED_SMALL_DISK(disk);
  folder.manifest["output"]["directory"] = "small/out";
  folder.save();
  fs::create_directory_symlink("small/out", "out");
  Process run({binary(), "batch", "manifest.json", "--jobs", "1", "--events", "events.jsonl"},
              "log");
  ASSERT_TRUE(wait_until([&] {
    return (fs::exists("events.jsonl") && fs::file_size("events.jsonl") > 0) || !run.running();
  }));
  run.signal(SIGSTOP);
  SmallDisk::fill();
  run.signal(SIGCONT);
  EXPECT_EQ(run.wait(), 4) << slurp("log");
  EXPECT_THAT(slurp("log"), HasSubstr("imprint: error: batch stopped after "));
  // By the operating system's words or SQLite's, whichever met it first.
  EXPECT_THAT(slurp("log"), testing::AnyOf(HasSubstr("No space left on device"),
                                           HasSubstr("database or disk is full")));
  EXPECT_THAT(leftovers("small/out"), testing::IsEmpty());

  fs::remove("small/filler");
  InterruptedBatch interrupted;
  interrupted.check_images();
  const auto rest = imprint({"batch", "manifest.json"});
  EXPECT_EQ(rest.status, 0) << rest.err;
  interrupted.check_images();
  expect_all_done(kDevices);
}

}  // namespace
}  // namespace imprint::cli::test
