#include "imprint/ledger/ledger.hpp"

#include <cstdlib>
#include <deque>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "made.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::ledger {
namespace {

namespace fs = std::filesystem;
using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;
using test::kNow;
using test::Made;
using test::placed;

/// What sqlite3, the independent reader, answers.
std::string ask(const fs::path& file, const std::string& query) {
  const auto result = run_command({"sqlite3", "-readonly", file.native(), query});
  EXPECT_EQ(result.status, 0) << result.err;
  return result.out;
}

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() : ledger_(Ledger::open(path_).value()) {
    run_ = ledger_.begin_run(test::run_info()).value();
  }

  std::int64_t record(std::uint64_t number) {
    const Made made(number);
    const Issued issued = made.issued();
    return ledger_.record_issued(run_, {&issued, 1}).value();
  }

  std::vector<std::string> latest() {
    std::vector<std::string> rows;
    EXPECT_THAT(ledger_.for_each_latest([&rows](const DeviceRow& row) {
      rows.push_back(row.device_id + " " + std::string(name(row.state)));
    }),
                IsOk());
    return rows;
  }

  TempDir dir_;
  fs::path path_ = dir_ / "ledger.db";
  Ledger ledger_;
  std::int64_t run_ = 0;
};

using Lines = std::vector<std::string>;

TEST_F(LedgerTest, GivesBackWhatWasRecorded) {
  const Made made(7);
  const Issued issued = made.issued();
  const std::int64_t row = ledger_.record_issued(run_, {&issued, 1}).value();
  const std::array digest = test::scattered<32>(7, 9);
  const Outcome outcome = {.certificate_row = row,
                           .state = State::failed,
                           .file = "dev-7.img",
                           .digest = digest,
                           .reason = "no space in 'dev-7.img'",
                           .at = kNow + std::chrono::seconds(5)};
  ASSERT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());

  const DeviceRow found = ledger_.find_device("dev-000007").value().value();
  EXPECT_EQ(found.certificate_row, row);
  EXPECT_EQ(found.run, run_);
  EXPECT_EQ(found.device_id, "dev-000007");
  EXPECT_EQ(found.subject, "CN=dev-000007.devices.example.com");
  EXPECT_EQ(to_hex(found.serial), to_hex(made.serial));
  EXPECT_EQ(found.certificate_sha256, made.certificate);
  EXPECT_EQ(found.public_key_sha256, made.public_key);
  EXPECT_EQ(found.not_before, kNow);
  EXPECT_EQ(found.not_after, kNow + std::chrono::days(3650));
  EXPECT_EQ(found.key_kind, "ec:P-256");
  EXPECT_EQ(found.issued_at, kNow);
  EXPECT_EQ(to_hex(found.certificate), to_hex(made.certificate_der));
  EXPECT_EQ(to_hex(found.public_key), to_hex(made.public_key_der));
  EXPECT_EQ(found.identity_data, R"({"sn":"SN-7"})");
  EXPECT_EQ(found.purpose, Purpose::device);
  EXPECT_EQ(found.state, State::failed);
  EXPECT_EQ(found.file, "dev-7.img");
  EXPECT_EQ(to_hex(found.digest), to_hex(digest));
  EXPECT_EQ(found.reason, "no space in 'dev-7.img'");
  EXPECT_EQ(found.state_at, kNow + std::chrono::seconds(5));
}

TEST_F(LedgerTest, KeyAndIdentityDataMayBeMissing) {
  const Made made(7);
  Issued issued = made.issued();
  issued.certificate = {};
  issued.public_key = {};
  issued.identity_data = {};
  issued.purpose = Purpose::server;
  ASSERT_THAT(ledger_.record_issued(run_, {&issued, 1}), IsOk());
  const DeviceRow found = ledger_.find_device("dev-000007").value().value();
  EXPECT_TRUE(found.certificate.empty());
  EXPECT_TRUE(found.public_key.empty());
  EXPECT_EQ(found.identity_data, "");
  EXPECT_EQ(found.purpose, Purpose::server);
  IMPRINT_NEED_COMMAND("sqlite3");
  EXPECT_EQ(
      ask(path_,
          "SELECT certificate IS NULL, public_key IS NULL, identity_data IS NULL, purpose FROM "
          "certificates; SELECT purpose FROM devices"),
      "1|1|1|server\nserver\n");
}

TEST_F(LedgerTest, PurposesThatNoLedgerHasAreCorrupt) {
  IMPRINT_NEED_COMMAND("sqlite3");
  record(1);
  ASSERT_EQ(run_command({"sqlite3", path_.native(), "UPDATE certificates SET purpose = 'toaster'"})
                .status,
            0);
  EXPECT_THAT(ledger_.find_device("dev-000001"),
              FailsWith(Code::corrupt,
                        "certificate 1 of the ledger has the unknown purpose "
                        "'toaster'"));
}

TEST_F(LedgerTest, SqliteReadsWhatWasRecorded) {
  IMPRINT_NEED_COMMAND("sqlite3");
  const std::int64_t row = record(1);
  const Outcome outcome = placed(row);
  ASSERT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());
  record(2);
  EXPECT_EQ(ask(path_, "SELECT device_id, state, serial, not_before, not_after, file FROM devices"),
            "dev-000001|placed|" + to_hex(Made(1).serial) +
                "|2026-11-20T19:46:03Z|2036-11-17T19:46:03Z|overlays.db\n"
                "dev-000002|issued|" +
                to_hex(Made(2).serial) + "|2026-11-20T19:46:03Z|2036-11-17T19:46:03Z|\n");
  EXPECT_EQ(ask(path_, "PRAGMA integrity_check; PRAGMA foreign_key_check"), "ok\n");
}

TEST_F(LedgerTest, RowsOfAGroupAreConsecutive) {
  record(1);
  const std::deque<Made> made = {Made(2), Made(3), Made(4)};
  std::vector<Issued> issued;
  for (const Made& one : made)
    issued.push_back(one.issued());
  const std::int64_t first = ledger_.record_issued(run_, issued).value();
  for (std::size_t i = 0; i < made.size(); ++i) {
    const auto found = ledger_.find_device(made[i].device_id).value().value();
    EXPECT_EQ(found.certificate_row, first + static_cast<std::int64_t>(i));
  }
}

TEST_F(LedgerTest, NothingToRecordIsNoError) {
  EXPECT_THAT(ledger_.record_issued(run_, {}), IsOk());
  EXPECT_THAT(ledger_.record_outcomes({}), IsOk());
  EXPECT_EQ(latest(), Lines{});
}

TEST_F(LedgerTest, LatestOutcomeCountsAndHistoryIsKept) {
  const std::int64_t row = record(1);
  Outcome outcome = placed(row);
  ASSERT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());
  outcome.state = State::lost;
  outcome.reason = "image gone";
  outcome.file = {};
  ASSERT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());
  const DeviceRow found = ledger_.find_device("dev-000001").value().value();
  EXPECT_EQ(found.state, State::lost);
  EXPECT_EQ(found.reason, "image gone");
  EXPECT_EQ(found.file, "");
  if (imprint::test::has_command("sqlite3")) {
    EXPECT_EQ(ask(path_, "SELECT number, state FROM outcomes"), "1|placed\n2|lost\n");
  }
}

TEST_F(LedgerTest, LatestCertificateOfADeviceCounts) {
  const std::int64_t first = record(1);
  record(2);
  Outcome outcome = placed(first);
  ASSERT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());
  Made again(3);
  again.device_id = "dev-000001";
  const Issued issued = again.issued();
  outcome.state = State::superseded;
  const std::int64_t row = ledger_.record_issued(run_, {&issued, 1}, {&outcome, 1}).value();
  EXPECT_EQ(ledger_.find_device("dev-000001").value()->certificate_row, row);
  EXPECT_EQ(ledger_.find_device("dev-000001").value()->state, State::issued);
  EXPECT_EQ(latest(), (Lines{"dev-000002 issued", "dev-000001 issued"}));
  EXPECT_EQ(ledger_.find_public_key(Made(1).public_key).value()->state, State::superseded);
}

TEST_F(LedgerTest, EveryCertificateIsShownOnceInOrder) {
  for (std::uint64_t number = 1; number <= 5; ++number)
    record(number);
  std::vector<std::int64_t> rows;
  ASSERT_THAT(
      ledger_.for_each([&rows](const DeviceRow& row) { rows.push_back(row.certificate_row); }),
      IsOk());
  EXPECT_EQ(rows, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

TEST_F(LedgerTest, FindsBySerialAndKey) {
  record(1);
  record(2);
  EXPECT_EQ(ledger_.find_serial(Made(2).serial).value()->device_id, "dev-000002");
  EXPECT_EQ(ledger_.find_public_key(Made(1).public_key).value()->device_id, "dev-000001");
  EXPECT_EQ(ledger_.find_serial(Made(3).serial).value(), std::nullopt);
  EXPECT_EQ(ledger_.find_public_key(Made(3).public_key).value(), std::nullopt);
  EXPECT_EQ(ledger_.find_device("dev-000003").value(), std::nullopt);
}

TEST_F(LedgerTest, RepeatedPublicKeyStopsEverything) {
  record(1);
  Made twin(2);
  twin.public_key = Made(1).public_key;
  const std::deque<Made> made = {Made(3), twin};
  const std::vector<Issued> issued = {made[0].issued(), made[1].issued()};
  EXPECT_THAT(ledger_.record_issued(run_, issued),
              FailsWith(Code::database, "device 'dev-000002': its public key is in the ledger '"));
  EXPECT_THAT(ledger_.record_issued(run_, issued),
              FailsWith(Code::database,
                        "for device 'dev-000001': check the random number generator "
                        "of this machine before any more keys are made"));
  EXPECT_EQ(latest(), Lines{"dev-000001 issued"}) << "nothing of the group is recorded";
}

TEST_F(LedgerTest, RepeatedSerialStopsEverything) {
  record(1);
  Made twin(2);
  twin.serial = Made(1).serial;
  const Issued issued = twin.issued();
  EXPECT_THAT(ledger_.record_issued(run_, {&issued, 1}),
              FailsWith(Code::database, "device 'dev-000002': its serial is in the ledger '"));
}

TEST_F(LedgerTest, RepetitionWithinAGroupIsFoundToo) {
  Made twin(2);
  twin.public_key = Made(1).public_key;
  const std::deque<Made> made = {Made(1), twin};
  const std::vector<Issued> issued = {made[0].issued(), made[1].issued()};
  EXPECT_THAT(ledger_.record_issued(run_, issued),
              FailsWith(Code::database, "device 'dev-000002': its public key is in the ledger '"));
  EXPECT_EQ(latest(), Lines{});
  EXPECT_EQ(record(3), 1) << "the ledger goes on";
}

TEST_F(LedgerTest, ValuesThatOnlyBeginAlikeAreDifferent) {
  record(1);
  Made alike(2);
  const Made first(1);
  std::copy_n(first.serial.begin(), 8, alike.serial.begin());
  std::copy_n(first.public_key.begin(), 31, alike.public_key.begin());
  const Issued issued = alike.issued();
  EXPECT_THAT(ledger_.record_issued(run_, {&issued, 1}), IsOk());
  Made twin(3);
  twin.public_key = alike.public_key;
  const Issued third = twin.issued();
  EXPECT_THAT(ledger_.record_issued(run_, {&third, 1}),
              FailsWith(Code::database, "for device 'dev-000002'"));
}

TEST_F(LedgerTest, ShortSerialsAreComparedWhole) {
  const std::array one = {std::byte{1}};
  const std::array one_and_zero = {std::byte{1}, std::byte{0}};
  const Made made(1);
  const Made other(2);
  std::vector<Issued> issued = {made.issued(), other.issued()};
  issued[0].serial = one;
  issued[1].serial = one_and_zero;
  EXPECT_THAT(ledger_.record_issued(run_, issued), IsOk());
  EXPECT_EQ(ledger_.find_serial(one).value()->device_id, "dev-000001");
  EXPECT_EQ(ledger_.find_serial(one_and_zero).value()->device_id, "dev-000002");
}

/// Enough certificates for a merge of fingerprints, those after it, and a ledger that is opened
/// again.
TEST_F(LedgerTest, RepetitionIsFoundHoweverLongAgo) {
  constexpr std::uint64_t kDevices = 72'000;
  constexpr std::uint64_t kInGroup = 6'000;
  for (std::uint64_t first = 0; first < kDevices; first += kInGroup) {
    std::deque<Made> made;
    std::vector<Issued> issued;
    for (std::uint64_t i = 0; i < kInGroup; ++i) {
      issued.push_back(made.emplace_back(first + i).issued());
    }
    ASSERT_THAT(ledger_.record_issued(run_, issued), IsOk());
  }
  const auto expect_all_found = [this] {
    for (const std::uint64_t number : {0U, 1U, 65'535U, 65'999U, 66'000U, 71'999U}) {
      SCOPED_TRACE(number);
      const Made earlier(number);
      Made twin(1'000'000 + number);
      twin.public_key = earlier.public_key;
      Issued issued = twin.issued();
      EXPECT_THAT(ledger_.record_issued(run_, {&issued, 1}),
                  FailsWith(Code::database, "its public key is in the ledger"));
      EXPECT_EQ(ledger_.find_public_key(earlier.public_key).value()->device_id, earlier.device_id);
      twin = Made(1'000'000 + number);
      twin.serial = earlier.serial;
      issued = twin.issued();
      EXPECT_THAT(ledger_.record_issued(run_, {&issued, 1}),
                  FailsWith(Code::database, "its serial is in the ledger"));
      EXPECT_EQ(ledger_.find_serial(earlier.serial).value()->device_id, earlier.device_id);
    }
  };
  expect_all_found();  // 66,000 were merged when the group went over 65,536; the last group is in
                       // memory
  ledger_ = Ledger::open(path_).value();
  expect_all_found();
  ASSERT_THAT(ledger_.end_run(run_, 0, kNow), IsOk());
  expect_all_found();
  if (imprint::test::has_command("sqlite3")) {
    EXPECT_EQ(ask(path_, "SELECT up_to FROM merged; SELECT count(*) FROM fingerprints"),
              "72000\n144000\n");
    EXPECT_EQ(ask(path_, "PRAGMA integrity_check"), "ok\n");
  }
}

TEST_F(LedgerTest, EndOfARunLeavesLittleToReadForTheNext) {
  IMPRINT_NEED_COMMAND("sqlite3");
  const auto record_many = [this](std::uint64_t from, std::uint64_t count) {
    std::deque<Made> made;
    std::vector<Issued> issued;
    for (std::uint64_t i = 0; i < count; ++i)
      issued.push_back(made.emplace_back(from + i).issued());
    ASSERT_THAT(ledger_.record_issued(run_, issued), IsOk());
  };
  record_many(0, 4'096);
  ASSERT_THAT(ledger_.end_run(run_, 0, kNow), IsOk());
  EXPECT_EQ(ask(path_, "SELECT up_to FROM merged"), "0\n");
  record_many(4'096, 1);
  ASSERT_THAT(ledger_.end_run(run_, 0, kNow), IsOk());
  EXPECT_EQ(ask(path_, "SELECT up_to FROM merged"), "4097\n");
}

TEST_F(LedgerTest, FailedOutcomeTakesItsGroupWithIt) {
  const Made made(1);
  const Issued issued = made.issued();
  const Outcome of_nobody = placed(99);
  EXPECT_THAT(ledger_.record_issued(run_, {&issued, 1}, {&of_nobody, 1}),
              FailsWith(Code::database, "FOREIGN KEY constraint failed (SQLite error 787)"));
  EXPECT_EQ(latest(), Lines{});
}

TEST_F(LedgerTest, CertificateOfNoRunIsRefused) {
  const Made made(1);
  const Issued issued = made.issued();
  EXPECT_THAT(ledger_.record_issued(run_ + 1, {&issued, 1}),
              FailsWith(Code::database, "recording certificates in the ledger '"));
}

TEST_F(LedgerTest, RefusesWhatIsNoRecord) {
  const Made made(1);
  Issued issued = made.issued();
  issued.serial = {};
  EXPECT_THAT(ledger_.record_issued(run_, {&issued, 1}),
              FailsWith(Code::internal, "a serial must have 1 to 20 bytes"));
  issued = made.issued();
  issued.public_key_sha256 = made.serial;
  EXPECT_THAT(ledger_.record_issued(run_, {&issued, 1}), FailsWith(Code::internal, "SHA-256"));
  issued = made.issued();
  issued.device_id = {};
  EXPECT_THAT(ledger_.record_issued(run_, {&issued, 1}),
              FailsWith(Code::internal, "without a device"));
  Outcome outcome = placed(record(2));
  outcome.state = State::issued;
  EXPECT_THAT(ledger_.record_outcomes({&outcome, 1}),
              FailsWith(Code::internal, "absence of an outcome"));
}

TEST_F(LedgerTest, OpenCertificatesAreListedAndSuperseded) {
  const Outcome outcome = placed(record(1));
  ASSERT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());
  record(2);
  record(3);
  Lines open;
  const auto visit = [&open](const DeviceRow& row) { open.push_back(row.device_id); };
  ASSERT_THAT(ledger_.for_each_open(visit), IsOk());
  EXPECT_EQ(open, (Lines{"dev-000002", "dev-000003"}));

  EXPECT_EQ(ledger_.supersede_open("the run was interrupted", kNow).value(), 2);
  EXPECT_EQ(ledger_.supersede_open("the run was interrupted", kNow).value(), 0);
  EXPECT_EQ(latest(),
            (Lines{"dev-000001 placed", "dev-000002 superseded", "dev-000003 superseded"}));
  EXPECT_EQ(ledger_.find_device("dev-000002").value()->reason, "the run was interrupted");
}

TEST_F(LedgerTest, VisitorMayRecord) {
  for (std::uint64_t number = 1; number <= 3; ++number)
    record(number);
  ASSERT_THAT(ledger_.for_each_open([this](const DeviceRow& row) {
    const Outcome outcome = placed(row.certificate_row);
    EXPECT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());
  }),
              IsOk());
  EXPECT_EQ(latest(), (Lines{"dev-000001 placed", "dev-000002 placed", "dev-000003 placed"}));
}

TEST_F(LedgerTest, RunsBeginAndEnd) {
  IMPRINT_NEED_COMMAND("sqlite3");
  const auto manifest = test::scattered<32>(1, 5);
  RunInfo info = test::run_info();
  info.command = "inject";
  info.manifest_sha256 = manifest;
  const std::int64_t second = ledger_.begin_run(info).value();
  EXPECT_GT(second, run_);
  ASSERT_THAT(ledger_.end_run(second, 3, kNow + std::chrono::seconds(60)), IsOk());
  EXPECT_EQ(
      ask(path_,
          "SELECT id, command, hex(manifest_sha256), ended_at - started_at, exit_status FROM runs"),
      "1|batch|||\n2|inject|" +
          ask(path_, "SELECT upper('" + to_hex(manifest) + "')").substr(0, 64) + "|60|3\n");
  EXPECT_THAT(ledger_.end_run(99, 0, kNow), FailsWith(Code::internal, "there is no run 99"));
}

TEST_F(LedgerTest, TextIsKeptAsItIs) {
  Made made(1);
  made.subject = "CN=Ærø's \"\\x\",O=日本";
  const Issued issued = made.issued();
  ASSERT_THAT(ledger_.record_issued(run_, {&issued, 1}), IsOk());
  EXPECT_EQ(ledger_.find_device("dev-000001").value()->subject, made.subject);
}

TEST_F(LedgerTest, ThreadsRecordWithoutLoss) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kEach = 50;
  std::vector<std::jthread> threads;
  for (std::uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const Outcome outcome = placed(record(thread * kEach + i));
        EXPECT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());
        EXPECT_EQ(ledger_.find_device(Made(thread * kEach + i).device_id).value()->state,
                  State::placed);
      }
    });
  }
  threads.clear();
  const Lines rows = latest();
  EXPECT_EQ(std::set<std::string>(rows.begin(), rows.end()).size(), kThreads * kEach);
}

}  // namespace
}  // namespace imprint::ledger
