// Revocations and the numbers of CRLs; files of format 1.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "imprint/base/file.hpp"
#include "made.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::ledger {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;
using test::kNow;
using test::Made;
using testing::ElementsAre;
using testing::IsEmpty;

const std::array<std::byte, 32> kThisKey = test::scattered<32>(1, 9);
const std::array<std::byte, 32> kOtherKey = test::scattered<32>(2, 9);

class RevocationTest : public testing::Test {
 protected:
  RevocationTest() : ledger_(Ledger::open(path()).value()) {}

  [[nodiscard]] fs::path path() const { return dir_ / "ledger.db"; }

  std::int64_t run(ByteView authority_key) {
    RunInfo info = test::run_info();
    info.authority_key_sha256 = authority_key;
    return ledger_.begin_run(info).value();
  }

  std::int64_t issue(std::int64_t run, std::uint64_t number) {
    const Made made(number);
    const Issued issued = made.issued();
    return ledger_.record_issued(run, {&issued, 1}).value();
  }

  /// Serials of what is listed, as numbers of Made.
  [[nodiscard]] std::vector<std::uint64_t> listed(ByteView key) const {
    const RevokedList list = ledger_.revoked(key).value();
    return numbers(list);
  }

  static std::vector<std::uint64_t> numbers(const RevokedList& list) {
    std::vector<std::uint64_t> found;
    EXPECT_THAT(list.for_each([&](const RevokedEntry& entry) -> Result<> {
      for (std::uint64_t number = 1; number < 100; ++number) {
        if (std::ranges::equal(Made(number).serial, entry.serial)) found.push_back(number);
      }
      return {};
    }),
                IsOk());
    return found;
  }

  static std::string sqlite(const fs::path& file, const std::string& statement) {
    const auto result = run_command({"sqlite3", file.string()}, statement);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }

  TempDir dir_;
  Ledger ledger_;
};

TEST_F(RevocationTest, IsReadBack) {
  const std::int64_t run_id = run(kThisKey);
  const std::int64_t row = issue(run_id, 1);
  issue(run_id, 2);
  const Revocation revocation{.certificate_row = row, .reason = "keyCompromise", .at = kNow};
  EXPECT_EQ(ledger_.revoke(run_id, {&revocation, 1}).value(), 1);
  const DeviceRow first = ledger_.find_device("dev-000001").value().value();
  EXPECT_TRUE(first.revoked);
  EXPECT_EQ(first.revoked_for, "keyCompromise");
  EXPECT_EQ(first.revoked_at, kNow);
  EXPECT_TRUE(std::ranges::equal(first.authority_key_sha256, kThisKey));
  EXPECT_FALSE(ledger_.find_device("dev-000002").value()->revoked);
  IMPRINT_NEED_COMMAND("sqlite3");
  EXPECT_EQ(sqlite(path(), "SELECT device_id, revoked_at, revoked_for FROM devices"),
            "dev-000001|2026-11-20T19:46:03Z|keyCompromise\ndev-000002||\n");
  EXPECT_EQ(sqlite(path(), "SELECT certificate, run FROM revocations"),
            fmt::format("{}|{}\n", row, run_id));
}

TEST_F(RevocationTest, TheFirstOneStays) {
  const std::int64_t run_id = run(kThisKey);
  const std::int64_t row = issue(run_id, 1);
  const std::array<Revocation, 2> twice = {
      {{row, "superseded", kNow}, {row, "keyCompromise", kNow + std::chrono::days(1)}}};
  EXPECT_EQ(ledger_.revoke(run_id, twice).value(), 1);
  EXPECT_EQ(ledger_.revoke(run_id, twice).value(), 0);
  EXPECT_EQ(ledger_.find_device("dev-000001").value()->revoked_for, "superseded");
}

TEST_F(RevocationTest, AllOrNothing) {
  const std::int64_t run_id = run(kThisKey);
  const std::array<Revocation, 2> one_unknown = {
      {{issue(run_id, 1), "superseded", kNow}, {4711, "superseded", kNow}}};
  EXPECT_THAT(ledger_.revoke(run_id, one_unknown), FailsWith(Code::database, "FOREIGN KEY"));
  EXPECT_FALSE(ledger_.find_device("dev-000001").value()->revoked);
  const Revocation known{.certificate_row = 1, .reason = "superseded", .at = kNow};
  EXPECT_THAT(ledger_.revoke(4711, {&known, 1}), FailsWith(Code::database, "FOREIGN KEY"));
  const Made made(2);
  RevokedElsewhere other{.certificate = made.issued(), .reason = "superseded", .at = kNow};
  other.certificate.serial = {};
  EXPECT_THAT(ledger_.revoke(run_id, {&known, 1}, {&other, 1}),
              FailsWith(Code::internal, "a serial must have 1 to 20 bytes"));
  EXPECT_THAT(listed(kThisKey), IsEmpty());
}

TEST_F(RevocationTest, ListsOneCaKeyAndWhatIsNobodys) {
  const std::int64_t ours = run(kThisKey);
  const std::int64_t theirs = run(kOtherKey);
  const std::int64_t unknown = run({});
  std::vector<Revocation> all;
  std::uint64_t number = 0;
  for (const std::int64_t run_id : {ours, theirs, unknown, ours})
    all.push_back({issue(run_id, ++number), "unspecified", kNow});
  issue(ours, 5);
  EXPECT_EQ(ledger_.revoke(ours, all).value(), 4);
  EXPECT_THAT(listed(kThisKey), ElementsAre(1, 3, 4));
  EXPECT_THAT(listed(kOtherKey), ElementsAre(2, 3));
  EXPECT_THAT(listed({}), ElementsAre(1, 2, 3, 4));
}

TEST_F(RevocationTest, EveryWalkOfAListSeesTheSame) {
  const std::int64_t run_id = run(kThisKey);
  const std::array<Revocation, 1> first = {{{issue(run_id, 1), "unspecified", kNow}}};
  const std::array<Revocation, 1> second = {{{issue(run_id, 2), "unspecified", kNow}}};
  ASSERT_THAT(ledger_.revoke(run_id, first), IsOk());
  const RevokedList list = ledger_.revoked(kThisKey).value();
  ASSERT_THAT(ledger_.revoke(run_id, second), IsOk());
  EXPECT_THAT(numbers(list), ElementsAre(1));
  EXPECT_THAT(numbers(list), ElementsAre(1));
  EXPECT_THAT(listed(kThisKey), ElementsAre(1, 2));
}

TEST_F(RevocationTest, AWalkEndsWithTheVisitorsError) {
  const std::int64_t run_id = run(kThisKey);
  const std::array<Revocation, 2> both = {
      {{issue(run_id, 1), "unspecified", kNow}, {issue(run_id, 2), "unspecified", kNow}}};
  ASSERT_THAT(ledger_.revoke(run_id, both), IsOk());
  int calls = 0;
  EXPECT_THAT(ledger_.revoked(kThisKey)->for_each([&](const RevokedEntry&) -> Result<> {
    ++calls;
    return fail(Code::io, "no more");
  }),
              FailsWith(Code::io, "no more"));
  EXPECT_EQ(calls, 1);
}

TEST_F(RevocationTest, CertificatesFromElsewhereAreRecordedAndRevoked) {
  const std::int64_t run_id = run(kThisKey);
  issue(run_id, 1);
  const Made renewed(2);
  const Made first(1);
  RevokedElsewhere other{.certificate = renewed.issued(), .reason = "keyCompromise", .at = kNow};
  // Its key is in the ledger already: whoever issued it has renewed a certificate.
  other.certificate.public_key_sha256 = first.public_key;
  EXPECT_EQ(ledger_.revoke(run_id, {}, {&other, 1}).value(), 1);
  const DeviceRow row = ledger_.find_device("dev-000002").value().value();
  EXPECT_EQ(row.state, State::lost);
  EXPECT_TRUE(row.revoked);
  EXPECT_THAT(listed(kThisKey), ElementsAre(2));
  // Its serial counts as used.
  const Made fourth(4);
  Issued repeated = fourth.issued();
  repeated.serial = renewed.serial;
  EXPECT_THAT(ledger_.record_issued(run_id, {&repeated, 1}),
              FailsWith(Code::database, "its serial is in the ledger"));
}

TEST_F(RevocationTest, FindsByCertificateAndBySerialOfACa) {
  const std::int64_t ours = run(kThisKey);
  const std::int64_t theirs = run(kOtherKey);
  issue(theirs, 1);
  const Made same(1);
  const Made mine(2);
  RevokedElsewhere other{.certificate = mine.issued(), .reason = "unspecified", .at = kNow};
  other.certificate.serial = same.serial;  // two CAs count from one
  ASSERT_THAT(ledger_.revoke(ours, {}, {&other, 1}), IsOk());
  EXPECT_EQ(ledger_.find_serial(same.serial, kThisKey).value()->device_id, "dev-000002");
  EXPECT_EQ(ledger_.find_serial(same.serial, kOtherKey).value()->device_id, "dev-000001");
  EXPECT_EQ(ledger_.find_certificate(mine.certificate).value()->device_id, "dev-000002");
  EXPECT_FALSE(ledger_.find_certificate(Made(3).certificate).value().has_value());
  EXPECT_FALSE(ledger_.find_serial(Made(3).serial, kThisKey).value().has_value());
}

TEST_F(RevocationTest, NumbersOfCrlsRise) {
  CrlRecord crl{.authority_key_sha256 = kThisKey,
                .this_update = kNow,
                .next_update = kNow + std::chrono::days(30),
                .entries = 3};
  const auto now = static_cast<std::uint64_t>(kNow.time_since_epoch().count());
  EXPECT_FALSE(ledger_.latest_crl(kThisKey).value().has_value());
  EXPECT_EQ(ledger_.begin_crl(crl).value(), now);
  EXPECT_EQ(ledger_.begin_crl(crl).value(), now + 1) << "two in a second";
  crl.this_update = kNow - std::chrono::days(1);
  EXPECT_EQ(ledger_.begin_crl(crl).value(), now + 2) << "the clock was set back";
  crl.above = now + 1000;
  EXPECT_EQ(ledger_.begin_crl(crl).value(), now + 1001) << "above the one that is replaced";
  crl.above = 0;
  crl.this_update = kNow + std::chrono::days(1);
  EXPECT_EQ(ledger_.begin_crl(crl).value(), now + 86'400);
  const LatestCrl latest = ledger_.latest_crl(kThisKey).value().value();
  EXPECT_EQ(latest.number, now + 86'400);
  EXPECT_EQ(latest.this_update, crl.this_update);
  EXPECT_EQ(latest.next_update, crl.next_update);
  EXPECT_EQ(latest.entries, 3U);
  // Another CA counts for itself.
  crl.authority_key_sha256 = kOtherKey;
  crl.this_update = kNow;
  EXPECT_EQ(ledger_.begin_crl(crl).value(), now);
}

/// A file as the first version has left it, made by sqlite3 from that version's schema.
class FormatOne : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("sqlite3");
    const Made made(1);
    const std::string rows = fmt::format(
        "INSERT INTO runs VALUES (1, '0.1.0', 'batch', NULL, NULL, {0}, NULL, NULL);"
        "INSERT INTO certificates VALUES (1, 1, '{1}', '{2}', x'{3}', x'{4}', x'{5}', {0}, {0},"
        " 'ec:P-256', {0});"
        "INSERT INTO outcomes VALUES (1, 1, 'placed', {0}, 'overlays.db', NULL, NULL);",
        kNow.time_since_epoch().count(), made.device_id, made.subject, to_hex(made.serial),
        to_hex(made.certificate), to_hex(made.public_key));
    const auto filled =
        run_command({"sqlite3", path().string()},
                    imprint::test::slurp(IMPRINT_LEDGER_SCHEMA) + rows +
                        "PRAGMA application_id = 0x696d504c; PRAGMA user_version = 1;");
    ASSERT_EQ(filled.status, 0) << filled.err;
  }

  [[nodiscard]] fs::path path() const { return dir_ / "ledger.db"; }

  [[nodiscard]] std::string format() const {
    return run_command({"sqlite3", path().string()}, "PRAGMA user_version").out;
  }

  TempDir dir_;
};

TEST_F(FormatOne, IsReadAsItIs) {
  const Ledger ledger = Ledger::open_read_only(path()).value();
  const DeviceRow row = ledger.find_device("dev-000001").value().value();
  EXPECT_EQ(row.state, State::placed);
  EXPECT_FALSE(row.revoked);
  EXPECT_TRUE(row.authority_key_sha256.empty());
  const Made made(1);
  EXPECT_TRUE(ledger.find_serial(made.serial).value().has_value());
  EXPECT_TRUE(ledger.find_serial(made.serial, kThisKey).value().has_value());
  EXPECT_TRUE(ledger.find_certificate(made.certificate).value().has_value());
  EXPECT_FALSE(ledger.latest_crl(kThisKey).value().has_value());
  EXPECT_THAT(ledger.revoked(kThisKey)->for_each(
                  [](const RevokedEntry&) -> Result<> { return fail(Code::internal, "none"); }),
              IsOk());
  int rows = 0;
  EXPECT_THAT(ledger.for_each_of("dev-000001", [&](const DeviceRow&) { ++rows; }), IsOk());
  EXPECT_THAT(ledger.for_each([&](const DeviceRow&) { ++rows; }), IsOk());
  EXPECT_EQ(rows, 2);
  EXPECT_EQ(format(), "1\n");
}

TEST_F(FormatOne, IsLedToTheNewOneByWriting) {
  {
    auto opened = Ledger::open(path());
    ASSERT_THAT(opened, IsOk());
    Ledger ledger = std::move(*opened);
    RunInfo info = test::run_info();
    info.authority_key_sha256 = kThisKey;
    const std::int64_t run = ledger.begin_run(info).value();
    const Revocation revocation{.certificate_row = 1, .reason = "superseded", .at = kNow};
    EXPECT_EQ(ledger.revoke(run, {&revocation, 1}).value(), 1);
    int entries = 0;
    EXPECT_THAT(ledger.revoked(kThisKey)->for_each([&](const RevokedEntry&) -> Result<> {
      ++entries;
      return {};
    }),
                IsOk());
    EXPECT_EQ(entries, 1) << "of no CA that is known: of every CA";
  }
  EXPECT_EQ(format(), "3\n");
  EXPECT_EQ(run_command({"sqlite3", path().string()}, "PRAGMA integrity_check").out, "ok\n");
  EXPECT_EQ(run_command({"sqlite3", path().string()},
                        "SELECT state, revoked_for FROM devices; SELECT authority_key_sha256 IS "
                        "NULL FROM runs")
                .out,
            "placed|superseded\n1\n0\n");
}

}  // namespace
}  // namespace imprint::ledger
