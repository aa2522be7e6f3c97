#include <fstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "imprint/base/file.hpp"
#include "made.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/nobody.hpp"
#include "support/temp_dir.hpp"

namespace imprint::ledger {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::ScopedNobody;
using imprint::test::slurp;
using imprint::test::TempDir;
using test::kNow;
using test::Made;

/// A ledger with one device, closed.
void make_ledger(const fs::path& path) {
  Ledger ledger = Ledger::open(path).value();
  const std::int64_t run = ledger.begin_run(test::run_info()).value();
  const Made made(1);
  const Issued issued = made.issued();
  ASSERT_THAT(ledger.record_issued(run, {&issued, 1}), IsOk());
}

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

TEST(LedgerOpen, IsPrivateFromTheStart) {
  const TempDir dir;
  const mode_t before = ::umask(0);
  const Ledger ledger = Ledger::open(dir / "ledger.db").value();
  ::umask(before);
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    EXPECT_EQ(mode_of(entry.path()), 0600U) << entry.path();
  }
}

TEST(LedgerOpen, KeepsWhatIsThere) {
  const TempDir dir;
  make_ledger(dir / "ledger.db");
  const Ledger again = Ledger::open(dir / "ledger.db").value();
  EXPECT_TRUE(again.find_device("dev-000001").value().has_value());
}

TEST(LedgerOpen, LeavesNoLogBehindWhenClosed) {
  const TempDir dir;
  make_ledger(dir / "ledger.db");
  EXPECT_FALSE(fs::exists(dir / "ledger.db-wal"));
}

TEST(LedgerOpen, LeavesNoLogBehindWhenReadWhileNobodyWrites) {
  const TempDir dir;
  make_ledger(dir / "ledger.db");
  {
    const Ledger reader = Ledger::open_read_only(dir / "ledger.db").value();
    EXPECT_TRUE(reader.find_device("dev-000001").value().has_value());
  }
  EXPECT_FALSE(fs::exists(dir / "ledger.db-wal"));
  EXPECT_FALSE(fs::exists(dir / "ledger.db-shm"));
}

TEST(LedgerOpen, ReadersPlayBackAJournalThatWasLeftBehind) {
  IMPRINT_NEED_COMMAND("sqlite3");
  const TempDir dir;
  make_ledger(dir / "ledger.db");
  // A transaction too large for its cache has changed the file: a copy of both now is what a
  // process leaves that dies in the middle.
  const fs::path torn = dir / "torn.db";
  const auto copied =
      run_command({"sqlite3", (dir / "ledger.db").native()},
                  fmt::format("PRAGMA cache_size = 2;\nBEGIN;\nCREATE TABLE t (x);\n"
                              "INSERT INTO t VALUES (zeroblob(1000000));\n"
                              ".shell cp {0} {1}; cp {0}-journal {1}-journal\nROLLBACK;\n",
                              (dir / "ledger.db").native(), torn.native()));
  ASSERT_EQ(copied.status, 0) << copied.err;
  ASSERT_TRUE(fs::exists(torn.native() + "-journal"));
  const auto reader = Ledger::open_read_only(torn);
  ASSERT_THAT(reader, IsOk());
  EXPECT_TRUE(reader->find_device("dev-000001").value().has_value());
  EXPECT_FALSE(fs::exists(torn.native() + "-journal"));
}

TEST(LedgerOpen, ReadersAndWriterDoNotWaitForEachOther) {
  const TempDir dir;
  make_ledger(dir / "ledger.db");
  const Ledger writer = Ledger::open(dir / "ledger.db").value();
  EXPECT_EQ(slurp(dir / "ledger.db").substr(18, 2), "\x02\x02")
      << "file format versions 2 and 2: a write-ahead log";
}

TEST(LedgerOpen, FinishesAFileThatWasJustMade) {
  const TempDir dir;
  const fs::path path = dir.write("ledger.db", "");
  make_ledger(path);
  EXPECT_THAT(Ledger::open(path), IsOk());
}

TEST(LedgerOpen, RefusesANewerFormat) {
  IMPRINT_NEED_COMMAND("sqlite3");
  const TempDir dir;
  const fs::path path = dir / "ledger.db";
  make_ledger(path);
  ASSERT_EQ(run_command({"sqlite3", path.native(), "PRAGMA user_version = 4"}).status, 0);
  const std::string before = slurp(path);
  EXPECT_THAT(Ledger::open(path),
              FailsWith(Code::unsupported,
                        "ledger.db' has format 4; this version knows formats up "
                        "to 3: use the version that wrote it, or a newer one"));
  EXPECT_THAT(Ledger::open_read_only(path), FailsWith(Code::unsupported, "has format 4"));
  EXPECT_EQ(slurp(path), before);
}

TEST(LedgerOpen, RefusesAnotherProgramsDatabase) {
  IMPRINT_NEED_COMMAND("sqlite3");
  const TempDir dir;
  const fs::path path = dir / "other.db";
  ASSERT_EQ(
      run_command({"sqlite3", path.native(), "CREATE TABLE t (x); PRAGMA user_version = 1"}).status,
      0);
  const std::string before = slurp(path);
  EXPECT_THAT(Ledger::open(path),
              FailsWith(Code::invalid_input, "other.db' is a database of another program"));
  EXPECT_EQ(slurp(path), before);
}

TEST(LedgerOpen, RefusesWhatIsNoDatabase) {
  const TempDir dir;
  const fs::path path = dir.write("ledger.db", std::string(5000, 'x'));
  EXPECT_THAT(Ledger::open(path), FailsWith(Code::invalid_input, "is no SQLite file, no ledger"));
  EXPECT_THAT(Ledger::open_read_only(path), FailsWith(Code::invalid_input, "no ledger"));
  EXPECT_EQ(slurp(path), std::string(5000, 'x'));
  EXPECT_THAT(Ledger::open(dir.path()), FailsWith(Code::invalid_input, "is not a regular file"));
}

TEST(LedgerOpen, ReadOnlyNeedsALedger) {
  const TempDir dir;
  EXPECT_THAT(Ledger::open_read_only(dir / "none.db"),
              FailsWith(Code::not_found, "there is no ledger '"));
  EXPECT_FALSE(fs::exists(dir / "none.db"));
  EXPECT_THAT(Ledger::open_read_only(dir.write("empty.db", "")),
              FailsWith(Code::not_found, "empty.db' is empty, no ledger"));
}

TEST(LedgerOpen, NamesTheDirectoryThatIsMissing) {
  EXPECT_THAT(Ledger::open("/nonexistent/ledger.db"),
              FailsWith(Code::not_found, "creating '/nonexistent/ledger.db'"));
}

TEST(LedgerOpen, ReadOnlyReadsAndDoesNotWrite) {
  const TempDir dir;
  make_ledger(dir / "ledger.db");
  Ledger ledger = Ledger::open_read_only(dir / "ledger.db").value();
  EXPECT_TRUE(ledger.find_device("dev-000001").value().has_value());
  EXPECT_THAT(ledger.begin_run(test::run_info()),
              FailsWith(Code::database, "attempt to write a readonly database (SQLite error 8)"));
}

TEST(LedgerOpen, ReaderSeesWhatTheWriterCommits) {
  const TempDir dir;
  Ledger writer = Ledger::open(dir / "ledger.db").value();
  const Ledger reader = Ledger::open_read_only(dir / "ledger.db").value();
  const std::int64_t run = writer.begin_run(test::run_info()).value();
  const Made made(1);
  const Issued issued = made.issued();
  ASSERT_THAT(writer.record_issued(run, {&issued, 1}), IsOk());
  EXPECT_TRUE(reader.find_device("dev-000001").value().has_value());
}

TEST(LedgerOpen, TwoWritersTakeTurns) {
  const TempDir dir;
  Ledger one = Ledger::open(dir / "ledger.db").value();
  Ledger two = Ledger::open(dir / "ledger.db").value();
  const std::int64_t run = one.begin_run(test::run_info()).value();
  for (std::uint64_t number = 0; number < 20; ++number) {
    const Made made(number);
    const Issued issued = made.issued();
    Ledger& ledger = number % 2 == 0 ? one : two;
    EXPECT_EQ(ledger.record_issued(run, {&issued, 1}).value(),
              static_cast<std::int64_t>(number) + 1);
  }
  Made twin(99);
  twin.public_key = Made(5).public_key;
  const Issued issued = twin.issued();
  EXPECT_THAT(one.record_issued(run, {&issued, 1}),
              FailsWith(Code::database, "for device 'dev-000005'"))
      << "what the other writer has recorded counts as well";
}

TEST(LedgerOpen, FileWithoutWritePermissionIsRefusedButCanBeRead) {
  const TempDir dir;
  make_ledger(dir / "ledger.db");
  fs::permissions(dir.path(), fs::perms(0555));
  fs::permissions(dir / "ledger.db", fs::perms(0444));
  {
    const ScopedNobody nobody;
    if (!ScopedNobody::works()) GTEST_SKIP() << "cannot become another user";
    EXPECT_THAT(Ledger::open(dir / "ledger.db"),
                FailsWith(Code::io, "ledger.db': Permission denied"));
    const auto read = Ledger::open_read_only(dir / "ledger.db");
    EXPECT_THAT(read, IsOk());
    if (read) {
      EXPECT_TRUE(read->find_device("dev-000001").value().has_value());
    }
  }
  fs::permissions(dir.path(), fs::perms(0700));
}

TEST(LedgerOpen, StrangeNamesAreOnlyNames) {
  const TempDir dir;
  const fs::path here = fs::current_path();
  fs::current_path(dir.path());
  for (const char* name : {"file:ledger.db?mode=memory", "a%41#?.db", "it's.db", ":memory:"}) {
    make_ledger(name);
    EXPECT_TRUE(fs::exists(name)) << name;
    EXPECT_THAT(Ledger::open_read_only(name), IsOk()) << name;
  }
  fs::current_path(here);
}

TEST(LedgerOpen, DiskFullIsSaidAndNothingIsHalfRecorded) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a small tmpfs";
  const TempDir dir;
  const fs::path small = dir / "small";
  fs::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs here";
  }
  {
    Ledger ledger = Ledger::open(small / "ledger.db").value();
    const std::int64_t run = ledger.begin_run(test::run_info()).value();
    std::uint64_t recorded = 0;
    for (;; recorded += 2) {
      ASSERT_LT(recorded, 100'000U) << "the disk does not get full";
      const Made one(recorded);
      const Made two(recorded + 1);
      const std::vector<Issued> issued = {one.issued(), two.issued()};
      const auto result = ledger.record_issued(run, issued);
      if (!result) {
        EXPECT_THAT(result, FailsWith(Code::no_space, "recording certificates in the ledger '"));
        break;
      }
    }
    std::uint64_t rows = 0;
    EXPECT_THAT(ledger.for_each([&rows](const DeviceRow&) { ++rows; }), IsOk());
    EXPECT_EQ(rows, recorded);
  }
  if (imprint::test::has_command("sqlite3")) {
    const auto check =
        run_command({"sqlite3", (small / "ledger.db").native(), "PRAGMA integrity_check"});
    EXPECT_EQ(check.out, "ok\n");
  }
  ::umount2(small.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace imprint::ledger
