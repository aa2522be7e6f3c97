// An in-place inject that is killed: the next command on the image finds the old one or the new
// one, and the ledger says which.

#include <atomic>
#include <csignal>
#include <memory>
#include <random>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "../golden/disk_image.hpp"
#include "imprint/base/syscalls.hpp"
#include "settled.hpp"
#include "support/fault.hpp"
#include "support/in_memory.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

IMPRINT_TEMPORARIES_IN_MEMORY();

using imprint::test::Process;
using imprint::test::run_in_child;
using testing::AnyOf;

const std::vector<std::string> kInject{"inject", "own.img", "--id",   "unit-7",
                                       "--ca",   "ca",      "--force"};

/// A small image that carries a first identity, of the CA's ledger.
class InjectedImage {
 public:
  InjectedImage() : folder_(Variant::populated, 1) {
    fs::copy_file(disk_.base().path(), "own.img");
    const auto first = imprint(kInject);
    EXPECT_EQ(first.status, 0) << first.err;
    fs::copy_file("own.img", "first.img");
    fs::copy_file("ca/ledger.db", "first.db");
    first_ = verified_certificate("own.img");
  }

  [[nodiscard]] const std::string& first_certificate() const noexcept { return first_; }

  /// Image and ledger as they were after the first inject.
  static void start_afresh() {
    fs::copy_file("first.img", "own.img", fs::copy_options::overwrite_existing);
    for (const char* name : {"ca/ledger.db", "ca/ledger.db-wal", "ca/ledger.db-shm"})
      fs::remove(name);
    fs::copy_file("first.db", "ca/ledger.db");
  }

  /// After an interruption and the next command: one whole image, and a ledger that agrees.
  void expect_old_or_new() const {
    const std::string now = verified_certificate("own.img");  // finishes what was interrupted
    EXPECT_FALSE(fs::exists(".own.img.imprint-redo"));
    EXPECT_FALSE(fs::exists(".own.img.imprint-redo.new"));
    const ImageOracle oracle("own.img");
    for (const auto& partition : oracle.partitions()) {
      if (partition.number == 1) continue;  // vfat
      EXPECT_EQ(oracle.complaints(partition.number), "");
    }
    const auto state_of = [](const std::string& certificate) {
      return sql("ca/ledger.db", fmt::format("SELECT state FROM devices WHERE "
                                             "certificate_sha256='{}'",
                                             certificate));
    };
    if (now == first_) {
      EXPECT_EQ(state_of(first_), "placed");
      EXPECT_EQ(sql("ca/ledger.db", "SELECT count(*) FROM devices WHERE state='placed'"), "1")
          << "what was undone is not placed";
    } else {
      // Killed between the image's last byte and the ledger's record, the row has no outcome yet.
      EXPECT_THAT(state_of(now), AnyOf("placed", "issued"));
      if (state_of(now) == "placed") {
        EXPECT_EQ(state_of(first_), "superseded");
      }
    }
  }

 private:
  BatchFolder folder_;
  golden::test::DiskImage disk_;
  std::string first_;
};

TEST(InjectKilled, BeforeAnyCallLeavesTheOldImageOrTheNew) {
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  const InjectedImage image;
  int old_images = 0;
  int new_images = 0;
  for (int nth = 1;; ++nth) {
    SCOPED_TRACE(fmt::format("call {}", nth));
    InjectedImage::start_afresh();
    const int status = run_in_child([&] {
      sys::set_fault_hook([nth, calls = std::make_shared<std::atomic<int>>(0)](std::string_view) {
        if (++*calls == nth) ::kill(::getpid(), SIGKILL);
        return 0;
      });
      return imprint(kInject).status;
    });
    if (status == 0) break;
    ASSERT_EQ(status, 128 + SIGKILL);
    image.expect_old_or_new();
    ++(verified_certificate("own.img") == image.first_certificate() ? old_images : new_images);
    if (HasFailure()) return;
  }
  EXPECT_GT(old_images, 5);
  EXPECT_GT(new_images, 2);
}

TEST(InjectFaults, AnyFailingCallLeavesTheOldImageOrTheNew) {
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  const InjectedImage image;
  for (int nth = 1;; ++nth) {
    SCOPED_TRACE(fmt::format("call {}", nth));
    InjectedImage::start_afresh();
    bool fired = false;
    CommandResult result;
    {
      const imprint::test::FailNth fault(nth);
      result = imprint(kInject);
      fired = fault.fired();
    }
    if (!fired) break;
    EXPECT_THAT(result.status, AnyOf(0, 4)) << result.err;
    image.expect_old_or_new();
    const auto again = imprint(kInject);
    EXPECT_EQ(again.status, 0) << again.err;
    if (HasFailure()) return;
  }
}

TEST(InjectKilled, AtRandomMomentsLeavesTheOldImageOrTheNew) {
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  const InjectedImage image;
  std::vector<std::string> command = kInject;
  command.insert(command.begin(), binary());
  const auto started = std::chrono::steady_clock::now();
  ASSERT_EQ(Process(command, "log").wait(), 0) << slurp("log");
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - started);
  std::mt19937 random(20261120);
  int killed = 0;
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    InjectedImage::start_afresh();
    Process run(command, "log");
    std::this_thread::sleep_for(whole * (random() % 1000) / 1000);
    run.signal(SIGKILL);
    if (run.wait() != 0) ++killed;
    image.expect_old_or_new();
    if (HasFailure()) return;
  }
  EXPECT_GE(killed, 3);
}

}  // namespace
}  // namespace imprint::cli::test
