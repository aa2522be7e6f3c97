// What servers answered, and who is still to be told; files of format 2.

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
using imprint::test::slurp;
using imprint::test::TempDir;
using test::kNow;
using test::Made;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kServer = "https://mender.example.com";
constexpr std::string_view kOther = "https://eu.example.com";

std::string sqlite(const fs::path& file, const std::string& statement) {
  const auto result = run_command({"sqlite3", file.string()}, statement);
  EXPECT_EQ(result.status, 0) << result.err;
  return result.out;
}

std::vector<std::string> to_preauthorize(const Ledger& ledger, std::string_view server) {
  std::vector<std::string> ids;
  EXPECT_THAT(ledger.for_each_to_preauthorize(
                  server, [&](const DeviceRow& row) { ids.push_back(row.device_id); }),
              IsOk());
  return ids;
}

class PreauthorizationTest : public testing::Test {
 protected:
  PreauthorizationTest() : ledger_(Ledger::open(path()).value()) {
    run_ = ledger_.begin_run(test::run_info()).value();
  }

  [[nodiscard]] fs::path path() const { return dir_ / "ledger.db"; }

  std::int64_t issue(Issued issued) { return ledger_.record_issued(run_, {&issued, 1}).value(); }

  std::int64_t place(const Issued& issued) {
    const std::int64_t row = issue(issued);
    const Outcome outcome = test::placed(row);
    EXPECT_THAT(ledger_.record_outcomes({&outcome, 1}), IsOk());
    return row;
  }

  std::int64_t place(std::uint64_t number) {
    const Made made(number);
    return place(made.issued());
  }

  void answer(std::int64_t row, PreauthorizationState state, std::string_view server = kServer) {
    const Preauthorization one{.certificate_row = row,
                               .server = server,
                               .device_id = "5c1",
                               .state = state,
                               .reason = "as it was",
                               .at = kNow};
    EXPECT_THAT(ledger_.record_preauthorized({&one, 1}), IsOk());
  }

  TempDir dir_;
  Ledger ledger_;
  std::int64_t run_ = 0;
};

TEST_F(PreauthorizationTest, IsReadBack) {
  const std::int64_t row = place(1);
  EXPECT_FALSE(ledger_.find_preauthorization(row, kServer).value().has_value());
  const std::array<Preauthorization, 2> answers = {
      {{row, kServer, "5c1f", PreauthorizationState::accepted, {}, kNow},
       {row, kOther, {}, PreauthorizationState::rejected, "pubkey: not one", kNow}}};
  ASSERT_THAT(ledger_.record_preauthorized(answers), IsOk());
  const PreauthorizationRow here = ledger_.find_preauthorization(row, kServer).value().value();
  EXPECT_EQ(here.device_id, "5c1f");
  EXPECT_EQ(here.state, PreauthorizationState::accepted);
  EXPECT_EQ(here.reason, "");
  EXPECT_EQ(here.at, kNow);
  const PreauthorizationRow there = ledger_.find_preauthorization(row, kOther).value().value();
  EXPECT_EQ(there.device_id, "");
  EXPECT_EQ(there.state, PreauthorizationState::rejected);
  EXPECT_EQ(there.reason, "pubkey: not one");
  IMPRINT_NEED_COMMAND("sqlite3");
  EXPECT_EQ(sqlite(path(),
                   "SELECT server, number, state, device_id, reason, at FROM "
                   "preauthorizations ORDER BY server DESC"),
            fmt::format("{}|1|accepted|5c1f||{}\n{}|1|rejected||pubkey: not one|{}\n", kServer,
                        kNow.time_since_epoch().count(), kOther, kNow.time_since_epoch().count()));
}

TEST_F(PreauthorizationTest, TheLatestAnswerCountsAndHistoryIsKept) {
  const std::int64_t row = place(1);
  for (const auto state : {PreauthorizationState::conflict, PreauthorizationState::known,
                           PreauthorizationState::accepted, PreauthorizationState::rejected}) {
    answer(row, state);
    EXPECT_EQ(ledger_.find_preauthorization(row, kServer).value()->state, state);
  }
  EXPECT_THAT(to_preauthorize(ledger_, kServer), ElementsAre("dev-000001"));
  IMPRINT_NEED_COMMAND("sqlite3");
  EXPECT_EQ(sqlite(path(), "SELECT number, state FROM preauthorizations"),
            "1|conflict\n2|known\n3|accepted\n4|rejected\n");
}

TEST_F(PreauthorizationTest, AllOrNothing) {
  const std::int64_t row = place(1);
  const Preauthorization good{row, kServer, {}, PreauthorizationState::accepted, {}, kNow};
  const std::array<Preauthorization, 2> one_unknown = {
      {good, {4711, kServer, {}, PreauthorizationState::accepted, {}, kNow}}};
  EXPECT_THAT(ledger_.record_preauthorized(one_unknown),
              FailsWith(Code::database, "recording answers of a server in the ledger '"));
  EXPECT_THAT(ledger_.record_preauthorized(one_unknown), FailsWith(Code::database, "FOREIGN KEY"));
  const std::array<Preauthorization, 2> one_nameless = {
      {good, {row, {}, {}, PreauthorizationState::accepted, {}, kNow}}};
  EXPECT_THAT(ledger_.record_preauthorized(one_nameless),
              FailsWith(Code::internal, "an answer without a server cannot be recorded"));
  EXPECT_FALSE(ledger_.find_preauthorization(row, kServer).value().has_value());
  EXPECT_THAT(ledger_.record_preauthorized({}), IsOk());
}

TEST_F(PreauthorizationTest, WhoIsKnownToTheServerIsNotToldAgain) {
  answer(place(1), PreauthorizationState::accepted);
  answer(place(2), PreauthorizationState::known);
  answer(place(3), PreauthorizationState::conflict);
  answer(place(4), PreauthorizationState::rejected);
  place(5);
  EXPECT_THAT(to_preauthorize(ledger_, kServer),
              ElementsAre("dev-000003", "dev-000004", "dev-000005"));
  EXPECT_EQ(to_preauthorize(ledger_, kOther).size(), 5U) << "each server for itself";
}

TEST_F(PreauthorizationTest, OnlyTheLatestCertificateOfAPlacedDeviceCounts) {
  answer(place(1), PreauthorizationState::accepted);
  const Made renewed_certificate(101);
  Issued renewed = renewed_certificate.issued();
  renewed.device_id = "dev-000001";
  place(renewed);  // a new key: the server has to be told
  const Made open(2);
  issue(open.issued());
  place(3);
  const Made again_certificate(103);
  Issued again = again_certificate.issued();
  again.device_id = "dev-000003";
  issue(again);  // at work
  const Revocation revocation{.certificate_row = place(4), .reason = "keyCompromise", .at = kNow};
  ASSERT_THAT(ledger_.revoke(run_, {&revocation, 1}), IsOk());
  const Made server_certificate(5);
  Issued server = server_certificate.issued();
  server.purpose = Purpose::server;
  place(server);
  const Made ca_certificate(6);
  Issued ca = ca_certificate.issued();
  ca.purpose = Purpose::authority;
  place(ca);
  EXPECT_THAT(to_preauthorize(ledger_, kServer), ElementsAre("dev-000001"));
}

TEST_F(PreauthorizationTest, AnswersMayBeRecordedMeanwhile) {
  for (std::uint64_t number = 1; number <= 3; ++number)
    place(number);
  int told = 0;
  EXPECT_THAT(ledger_.for_each_to_preauthorize(kServer,
                                               [&](const DeviceRow& row) {
                                                 answer(row.certificate_row,
                                                        PreauthorizationState::accepted);
                                                 ++told;
                                               }),
              IsOk());
  EXPECT_EQ(told, 3);
  EXPECT_THAT(to_preauthorize(ledger_, kServer), IsEmpty());
}

TEST_F(PreauthorizationTest, AnswersThatNoLedgerHasAreCorrupt) {
  IMPRINT_NEED_COMMAND("sqlite3");
  const std::int64_t row = place(1);
  answer(row, PreauthorizationState::accepted);
  sqlite(path(), "UPDATE preauthorizations SET state = 'perhaps'");
  EXPECT_THAT(ledger_.find_preauthorization(row, kServer),
              FailsWith(Code::corrupt,
                        "certificate 1 of the ledger has the unknown answer "
                        "'perhaps'"));
}

/// A file as the version before this one has left it, made by sqlite3 from that version's schema: a
/// device, a server, an intermediate CA.
class FormatTwo : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("sqlite3");
    std::string rows;
    std::uint64_t number = 0;
    for (const std::string_view command : {"batch", "ca issue-server", "ca init"}) {
      const Made made(++number);
      rows += fmt::format(
          "INSERT INTO runs VALUES ({0}, '0.1.0', '{1}', NULL, NULL, {2}, NULL, NULL, NULL);"
          "INSERT INTO certificates VALUES ({0}, {0}, '{3}', '{4}', x'{5}', x'{6}', x'{7}', {2},"
          " {2}, 'ec:P-256', {2});"
          "INSERT INTO outcomes VALUES ({0}, 1, 'placed', {2}, 'a file', NULL, NULL);",
          number, command, kNow.time_since_epoch().count(), made.device_id, made.subject,
          to_hex(made.serial), to_hex(made.certificate), to_hex(made.public_key));
    }
    sqlite(path(), slurp(IMPRINT_LEDGER_SCHEMA) + slurp(IMPRINT_LEDGER_FORMAT_2) + rows +
                       "PRAGMA application_id = 0x696d504c; PRAGMA user_version = 2;");
  }

  [[nodiscard]] fs::path path() const { return dir_ / "ledger.db"; }

  static void expect_known(const Ledger& ledger) {
    const DeviceRow device = ledger.find_device("dev-000001").value().value();
    EXPECT_EQ(device.purpose, Purpose::device);
    EXPECT_TRUE(device.public_key.empty());
    EXPECT_EQ(device.identity_data, "");
    EXPECT_EQ(ledger.find_device("dev-000002").value()->purpose, Purpose::server);
    EXPECT_EQ(ledger.find_device("dev-000003").value()->purpose, Purpose::authority);
    EXPECT_THAT(to_preauthorize(ledger, kServer), ElementsAre("dev-000001"));
    EXPECT_FALSE(ledger.find_preauthorization(1, kServer).value().has_value());
  }

  TempDir dir_;
};

TEST_F(FormatTwo, IsReadAsItIs) {
  expect_known(Ledger::open_read_only(path()).value());
  EXPECT_EQ(sqlite(path(), "PRAGMA user_version"), "2\n");
}

TEST_F(FormatTwo, IsLedToTheNewOneByWriting) {
  {
    Ledger ledger = Ledger::open(path()).value();
    expect_known(ledger);
    const std::int64_t run = ledger.begin_run(test::run_info()).value();
    const Made made(9);
    const Issued issued = made.issued();
    ASSERT_THAT(ledger.record_issued(run, {&issued, 1}), IsOk());
    EXPECT_EQ(ledger.find_device("dev-000009").value()->identity_data, R"({"sn":"SN-9"})");
  }
  EXPECT_EQ(sqlite(path(), "PRAGMA user_version; PRAGMA integrity_check; PRAGMA foreign_key_check"),
            "3\nok\n");
  EXPECT_EQ(sqlite(path(), "SELECT state, purpose, identity_data FROM devices"),
            "placed|device|\nplaced|server|\nplaced|authority|\nissued|device|{\"sn\":\"SN-9\"}\n");
}

}  // namespace
}  // namespace imprint::ledger
