// Asked to stop, or meeting another run: the program as a process.

#include <chrono>
#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "settled.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::Process;
using imprint::test::wait_until;
using testing::HasSubstr;

bool has_event(std::string_view event) {
  return fs::exists("events.jsonl") && slurp("events.jsonl").find(event) != std::string::npos;
}

std::vector<std::string> batch_command() {
  return {binary(), "batch", "manifest.json", "--jobs", "1", "--events", "events.jsonl"};
}

/// Whether a process handles a signal by now, by the kernel's word.
bool catches(pid_t pid, int signal) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string word; status >> word;) {
    if (word != "SigCgt:") continue;
    std::uint64_t mask = 0;
    status >> std::hex >> mask;
    return ((mask >> (signal - 1)) & 1) != 0;
  }
  return false;
}

class BatchStopped : public testing::TestWithParam<int> {};

TEST_P(BatchStopped, FinishesWhatIsInHandAndGoesOnLater) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("sqlite3");
  constexpr int kDevices = 32;
  const BatchFolder folder(Variant::empty_b, kDevices);
  Process run(batch_command(), "log");
  ASSERT_TRUE(wait_until([&] { return has_event("device-done") || !run.running(); }));
  run.signal(GetParam());
  ASSERT_EQ(run.wait(), 130) << slurp("log");
  EXPECT_THAT(slurp("log"), HasSubstr("imprint: interrupted: run the same command again to go on"));
  EXPECT_THAT(leftovers("out"), testing::IsEmpty());
  EXPECT_EQ(sql("out/ledger.db", "SELECT count(*) FROM devices WHERE state != 'placed'"), "0")
      << "what was in hand was finished";
  EXPECT_EQ(sql("out/ledger.db", "SELECT exit_status FROM runs"), "130");
  const int done = std::stoi(sql("out/ledger.db", "SELECT count(*) FROM devices"));
  EXPECT_GT(done, 0);
  EXPECT_LT(done, kDevices);

  const auto rest = imprint({"batch", "manifest.json"});
  EXPECT_EQ(rest.status, 0) << rest.err;
  EXPECT_THAT(rest.err, HasSubstr(fmt::format("{} of 32 devices done in", kDevices - done)));
  expect_all_done(kDevices);
}

INSTANTIATE_TEST_SUITE_P(Signals, BatchStopped, testing::Values(SIGINT, SIGTERM),
                         [](const auto& test) {
                           return test.param == SIGINT ? std::string("Interrupt")
                                                       : std::string("Terminate");
                         });

TEST(BatchStoppedTwice, EndsAtOnce) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::empty_b, 1);
  // A pipe that nobody reads: the program waits for it for ever.
  ASSERT_EQ(::mkfifo("events.jsonl", 0600), 0);
  Process run(batch_command(), "log");
  ASSERT_TRUE(wait_until([&] { return catches(run.pid(), SIGINT) || !run.running(); }));
  run.signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(run.running()) << "the first signal asks";
  run.signal(SIGINT);
  EXPECT_TRUE(wait_until([&] { return !run.running(); }, std::chrono::seconds(10)));
  EXPECT_EQ(run.wait(), 130) << slurp("log");
}

TEST(BatchTwice, ASecondRunIsTurnedAwayAndTheFirstGoesOn) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("sqlite3");
  constexpr int kDevices = 8;
  const BatchFolder folder(Variant::empty_b, kDevices);
  Process first(batch_command(), "log");
  ASSERT_TRUE(wait_until([&] { return has_event("batch-started") || !first.running(); }));
  first.signal(SIGSTOP);
  const auto second = imprint({"batch", "manifest.json"});
  first.signal(SIGCONT);
  EXPECT_EQ(second.status, 4);
  EXPECT_EQ(second.err,
            fmt::format("imprint: error: another run is at work in 'out': 'out/.imprint/lock' is "
                        "held by another run (process {}); wait for it to end\n",
                        first.pid()));
  EXPECT_EQ(first.wait(), 0) << slurp("log");
  expect_all_done(kDevices);
}

}  // namespace
}  // namespace imprint::cli::test
