// Batches whose keys take a fifth of a second each: they are seen, interrupted and resumed by the
// device, not by the thousand.

#include <algorithm>
#include <chrono>
#include <csignal>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "imprint/golden/store.hpp"
#include "settled.hpp"
#include "support/matchers.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::IsOk;
using imprint::test::Process;
using imprint::test::wait_until;
using testing::HasSubstr;
using Seconds = std::chrono::duration<double>;

constexpr int kDevices = 30;

/// An overlay batch of RSA keys.
class RsaBatch : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_IMAGES();
    IMPRINT_NEED_COMMAND("sqlite3");
    folder_.emplace(Variant::empty_b, kDevices);
    folder_->manifest["identity"]["key"] = "rsa:2048";
    folder_->manifest["output"]["format"] = "overlay";
    folder_->save();
  }

  static std::vector<std::string> command() {
    return {binary(), "batch", "manifest.json", "--jobs", "2", "--events", "events.jsonl"};
  }

  static int events(std::string_view event) {
    if (!fs::exists("events.jsonl")) return 0;
    const std::string text = slurp("events.jsonl");
    int count = 0;
    for (std::size_t at = text.find(event); at != std::string::npos; at = text.find(event, at + 1))
      ++count;
    return count;
  }

  static int number(const std::string& statement) {
    return std::stoi(sql("out/ledger.db", statement));
  }

  /// Finishes what is missing, and looks at all of it.
  static void finish() {
    const auto rest = imprint({"batch", "manifest.json"});
    ASSERT_EQ(rest.status, 0) << rest.err;
    expect_all_done(kDevices);
    const auto store = golden::OverlayStore::open("out/overlays.db");
    ASSERT_THAT(store, IsOk());
    for (int i = 1; i <= kDevices; ++i)
      EXPECT_THAT(store->get(fmt::format("unit-{}", i)), IsOk());
  }

  std::optional<BatchFolder> folder_;
};

TEST_F(RsaBatch, StopsAtTheDevicesInHandWhenInterrupted) {
  Process run(command(), "log");
  ASSERT_TRUE(wait_until([&] { return events("device-done") >= 2 || !run.running(); }));
  const auto asked = std::chrono::steady_clock::now();
  run.signal(SIGINT);
  ASSERT_EQ(run.wait(), 130) << slurp("log");
  EXPECT_LT(Seconds(std::chrono::steady_clock::now() - asked).count(), 10) << "a few keys at most";
  EXPECT_EQ(number("SELECT count(*) FROM devices WHERE state != 'placed'"), 0);
  EXPECT_LT(number("SELECT count(*) FROM devices"), kDevices);
  finish();
}

TEST_F(RsaBatch, LosesOnlyTheDevicesInHandWhenKilled) {
  for (int round = 1; round <= 2; ++round) {
    const int before = events("device-done");
    Process run(command(), "log");
    ASSERT_TRUE(wait_until([&] { return events("device-done") >= before + 4 || !run.running(); }));
    run.signal(SIGKILL);
    ASSERT_EQ(run.wait(), 128 + SIGKILL) << slurp("log");
  }
  const int seen = events("device-done");
  finish();
  EXPECT_GE(number("SELECT count(*) FROM devices WHERE state = 'placed'"), seen);
  EXPECT_LE(number("SELECT count(*) FROM devices WHERE state = 'superseded'"), 16)
      << "in two kills";
}

TEST_F(RsaBatch, DryRunSaysHowLongTheKeysWillTake) {
  const auto plan = imprint({"batch", "manifest.json", "--dry-run"});
  ASSERT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, testing::ContainsRegex("\nkeys         about [0-9.]+ (s|min) to make\n"));
  const auto record = Json::parse(imprint({"batch", "manifest.json", "--dry-run", "--json"}).out);
  // 30 keys of 0.02 to 2 seconds, whatever the machine.
  EXPECT_GT(record["plan"]["key_seconds"].get<double>(), 0.3);
  EXPECT_LT(record["plan"]["key_seconds"].get<double>(), 60);
  EXPECT_FALSE(fs::exists("out"));
}

TEST_F(RsaBatch, DryRunDoesNotTimeKeysThatTakeNone) {
  folder_->manifest["identity"]["key"] = "ec:P-256";
  folder_->save();
  const auto plan = imprint({"batch", "manifest.json", "--dry-run"});
  ASSERT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, testing::Not(HasSubstr("to make")));
}

}  // namespace
}  // namespace imprint::cli::test
