// The Nth call that changes a disk fails, or is the last thing the process does, for every N: a
// small image and two devices, so that every call gets its turn.

#include "support/fault.hpp"

#include <atomic>
#include <csignal>
#include <memory>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "../golden/disk_image.hpp"
#include "settled.hpp"
#include "support/in_memory.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

IMPRINT_TEMPORARIES_IN_MEMORY();

using imprint::test::FailNth;
using testing::AnyOf;

constexpr int kDevices = 2;

/// A batch over a disk image of 26 MiB, in an output directory that can be started afresh.
class SmallBatch {
 public:
  explicit SmallBatch(const std::string& format) : folder(Variant::populated, kDevices) {
    folder.manifest["image"] = disk_.base().path().string();
    folder.manifest["output"]["format"] = format;
    folder.save();
  }

  static void start_afresh() { fs::remove_all("out"); }

  static CommandResult run() { return imprint({"batch", "manifest.json", "--jobs", "1"}); }

  /// After a run that went wrong: no half device, and the same command brings it to its end.
  static void expect_recovery() {
    InterruptedBatch interrupted;
    if (fs::exists("out")) interrupted.check_images();
    const CommandResult again = run();
    EXPECT_EQ(again.status, 0) << again.err;
    interrupted.check_images();
    expect_all_done(kDevices);
  }

  BatchFolder folder;

 private:
  golden::test::DiskImage disk_;
};

class BatchFaults : public testing::TestWithParam<std::string> {};

TEST_P(BatchFaults, AnyFailingCallLeavesNoHalfDevice) {
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  const SmallBatch batch(GetParam());
  for (int nth = 1;; ++nth) {
    SCOPED_TRACE(fmt::format("call {}", nth));
    SmallBatch::start_afresh();
    CommandResult result;
    bool fired = false;
    {
      const FailNth fault(nth);
      result = SmallBatch::run();
      fired = fault.fired();
    }
    if (!fired) {
      EXPECT_EQ(result.status, 0) << result.err;
      EXPECT_GT(nth, 5) << "no call went through the hook";
      break;
    }
    // 0: there was another way, a copy where a clone failed, say.
    EXPECT_THAT(result.status, AnyOf(0, 3, 4)) << result.err;
    SmallBatch::expect_recovery();
    if (HasFailure()) return;
  }
}

TEST_P(BatchFaults, AFullDiskFromAnyCallOnLeavesNoHalfDevice) {
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  const SmallBatch batch(GetParam());
  for (int nth = 1;; ++nth) {
    SCOPED_TRACE(fmt::format("call {}", nth));
    SmallBatch::start_afresh();
    CommandResult result;
    bool fired = false;
    {
      const FailNth fault(nth, ENOSPC, true);
      result = SmallBatch::run();
      fired = fault.fired();
    }
    if (!fired) break;
    EXPECT_EQ(result.status, 4) << result.err;
    EXPECT_THAT(result.err, testing::HasSubstr("No space left on device"));
    SmallBatch::expect_recovery();
    if (HasFailure()) return;
  }
}

TEST_P(BatchFaults, KilledBeforeAnyCallLeavesNoHalfDevice) {
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  const SmallBatch batch(GetParam());
  for (int nth = 1;; ++nth) {
    SCOPED_TRACE(fmt::format("call {}", nth));
    SmallBatch::start_afresh();
    const int status = imprint::test::run_in_child([&] {
      sys::set_fault_hook([nth, calls = std::make_shared<std::atomic<int>>(0)](std::string_view) {
        if (++*calls == nth) ::kill(::getpid(), SIGKILL);
        return 0;
      });
      return SmallBatch::run().status;
    });
    if (status == 0) break;
    ASSERT_EQ(status, 128 + SIGKILL);
    // In a child as well: this process must stay without threads.
    ASSERT_EQ(imprint::test::run_in_child([] {
                SmallBatch::expect_recovery();
                return HasFailure() ? 1 : 0;
              }),
              0);
  }
}

INSTANTIATE_TEST_SUITE_P(Sinks, BatchFaults, testing::Values("image", "overlay"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace imprint::cli::test
