// kill -9 in the middle of a run. The child writes each row that the ledger has promised to a pipe;
// what was promised must be there afterwards, whole groups only, and a second run must be able to
// go on.

#include <algorithm>
#include <csignal>
#include <deque>
#include <fcntl.h>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "made.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::ledger {
namespace {

namespace fs = std::filesystem;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;
using test::Made;
using test::placed;

constexpr std::uint64_t kGroup = 16;

/// Records groups for ever; says on `promises` how many devices are recorded.
[[noreturn]] void record_for_ever(const fs::path& path, int promises) {
  auto ledger = Ledger::open(path);
  if (!ledger) ::_exit(1);
  std::uint64_t next = 0;
  if (!ledger->for_each([&next](const DeviceRow&) { ++next; })) ::_exit(2);
  const auto run = ledger->begin_run(test::run_info());
  if (!run) ::_exit(3);
  std::vector<Outcome> outcomes;
  for (;;) {
    std::deque<Made> made;
    std::vector<Issued> issued;
    for (std::uint64_t i = 0; i < kGroup; ++i)
      issued.push_back(made.emplace_back(next++).issued());
    const auto row = ledger->record_issued(*run, issued, outcomes);
    if (!row) ::_exit(4);
    if (::write(promises, &next, sizeof(next)) != sizeof(next)) ::_exit(5);
    outcomes.clear();
    for (std::uint64_t i = 0; i < kGroup; ++i) {
      outcomes.push_back(placed(*row + static_cast<std::int64_t>(i)));
    }
  }
}

TEST(LedgerCrash, KilledRunKeepsWhatItPromisedInWholeGroups) {
  const TempDir dir;
  const fs::path path = dir / "ledger.db";
  std::mt19937 random(
      20261120);  // NOLINT(bugprone-random-generator-seed): the same moments each time
  std::uint64_t before = 0;
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    int pipe[2] = {-1, -1};
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) record_for_ever(path, pipe[1]);
    ::close(pipe[1]);
    std::uint64_t promised = 0;
    const auto groups = static_cast<unsigned>(1 + random() % 20);
    for (unsigned i = 0; i < groups; ++i) {
      ASSERT_EQ(::read(pipe[0], &promised, sizeof(promised)), sizeof(promised));
    }
    ::usleep(static_cast<useconds_t>(random() % 3000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    std::uint64_t more = 0;
    while (::read(pipe[0], &more, sizeof(more)) == sizeof(more))
      promised = more;
    ::close(pipe[0]);

    if (imprint::test::has_command("sqlite3")) {
      EXPECT_EQ(run_command(
                    {"sqlite3", path.native(), "PRAGMA integrity_check; PRAGMA foreign_key_check"})
                    .out,
                "ok\n");
    }
    Ledger ledger = Ledger::open(path).value();
    std::uint64_t rows = 0;
    std::uint64_t open = 0;
    ASSERT_THAT(ledger.for_each([&](const DeviceRow& row) {
      EXPECT_EQ(row.device_id, Made(rows).device_id);
      EXPECT_EQ(row.certificate_row, static_cast<std::int64_t>(rows) + 1);
      ++rows;
      open += row.state == State::issued ? 1 : 0;
    }),
                IsOk());
    EXPECT_GE(rows, promised) << "a promise was broken";
    EXPECT_LE(rows, promised + kGroup) << "at most the group in hand was not promised yet";
    EXPECT_EQ((rows - before) % kGroup, 0U) << "half a group";
    EXPECT_EQ(open, kGroup) << "the last group has no outcome yet";
    EXPECT_EQ(ledger.supersede_open("killed", test::kNow).value(), std::int64_t{kGroup});
    before = rows;
  }
}

}  // namespace
}  // namespace imprint::ledger
