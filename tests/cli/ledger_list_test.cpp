// `ledger list`: what scripts and people read of a ledger.

#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/cli/cli.hpp"
#include "support/in_memory.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::TempDir;
using testing::HasSubstr;

IMPRINT_TEMPORARIES_IN_MEMORY();

/// Four certificates of three devices: one placed, one lost and revoked, one placed twice.
class LedgerList : public testing::Test {
 protected:
  LedgerList() : before_(fs::current_path()) {
    fs::current_path(dir_.path());
    ok({"ca", "init", "ca", "--cn", "Test CA"});
    for (const char* id : {"unit-1", "unit-2", "unit-3"})
      ok({"ca", "issue-device", "ca", "--id", id, "--output", "out", "--ledger", "ledger.db"});
    ok({"ca", "issue-device", "ca", "--id", "unit-1", "--output", "b", "--ledger", "ledger.db"});
    EXPECT_EQ(sql("ledger.db",
                  "INSERT INTO outcomes (certificate, number, state, at, reason) "
                  "VALUES (2, 9, 'lost', 0, 'mislaid, \"somehow\"')"),
              "");
    ok({"ca", "revoke", "ca", "--superseded", "--ledger", "ledger.db"});
  }

  ~LedgerList() override { fs::current_path(before_); }

  static std::string ok(const std::vector<std::string>& arguments) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
    return result.out;
  }

  static void refused(const std::vector<std::string>& arguments, const std::string& message) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err, "imprint: error: " + message + "\n");
    EXPECT_EQ(result.out, "");
  }

  /// Ids in the order of the list.
  static std::vector<std::string> ids(std::vector<std::string> options) {
    options.insert(options.begin(), {"ledger", "list", "--format", "json"});
    std::vector<std::string> found;
    const Json list = Json::parse(ok(options));
    for (const Json& row : list["certificates"])
      found.push_back(row["id"]);
    return found;
  }

  TempDir dir_;
  fs::path before_;
};

TEST_F(LedgerList, JsonSaysWhatSqliteReads) {
  const Json list = Json::parse(ok({"ledger", "list", "ledger.db", "--format", "json"}));
  EXPECT_EQ(list["version"], 1);
  std::string lines;
  for (const Json& row : list["certificates"]) {
    const Json& revoked = row["revoked"];
    for (const char* name : {"id", "state", "serial", "certificate_sha256", "public_key_sha256",
                             "not_before", "not_after"})
      lines += row[name].get<std::string>() + "|";
    lines += (revoked.is_null() ? "" : revoked["reason"].get<std::string>()) + "|";
    lines += (row["file"].is_null() ? "" : row["file"].get<std::string>()) + "\n";
  }
  lines.pop_back();
  EXPECT_EQ(lines, sql("ledger.db",
                       "SELECT device_id, state, serial, certificate_sha256, public_key_sha256, "
                       "not_before, not_after, revoked_for, file FROM devices"));
  EXPECT_EQ(list["certificates"][1]["reason"], "mislaid, \"somehow\"");
}

TEST_F(LedgerList, CsvIsReadBackBySqlite) {
  dir_.write("list.csv", ok({"ledger", "list", "--format", "csv"}));
  const auto imported =
      run_command({"sqlite3", "-csv", ":memory:"},
                  ".import list.csv list\nSELECT id, state, revoked_for, reason FROM list;\n");
  std::string rows = imported.out;
  std::erase(rows, '\r');  // not every version of sqlite3 ends its lines alike
  EXPECT_EQ(rows,
            "unit-1,placed,\"\",\"\"\nunit-2,lost,superseded,\"mislaid, \"\"somehow\"\"\"\n"
            "unit-3,placed,\"\",\"\"\nunit-1,placed,\"\",\"\"\n");
}

TEST_F(LedgerList, TheTableIsOneLineEach) {
  const std::string table = ok({"ledger", "list"});
  EXPECT_TRUE(table.starts_with("ID                   STATE      REVOKED              SERIAL"));
  EXPECT_EQ(std::ranges::count(table, '\n'), 5);
  EXPECT_THAT(table, HasSubstr("\nunit-2               lost       superseded           "));
  EXPECT_THAT(table, HasSubstr("/out/unit-3.crt\n"));
}

TEST_F(LedgerList, OptionsNarrowIt) {
  using List = std::vector<std::string>;
  EXPECT_EQ(ids({}), (List{"unit-1", "unit-2", "unit-3", "unit-1"}));
  EXPECT_EQ(ids({"--id", "unit-1"}), (List{"unit-1", "unit-1"}));
  EXPECT_EQ(ids({"--state", "Lost"}), List{"unit-2"});
  EXPECT_EQ(ids({"--revoked"}), List{"unit-2"});
  EXPECT_EQ(ids({"--revoked", "--id", "unit-1"}), List{});
  EXPECT_EQ(ids({"--id", "unit-9"}), List{});
}

TEST_F(LedgerList, ReadingWritesNothing) {
  const auto before = listing(".");
  ok({"ledger", "list"});
  EXPECT_EQ(listing("."), before);
}

TEST_F(LedgerList, SaysWhatIsWrong) {
  refused({"ledger", "list", "none.db"}, "there is no ledger 'none.db'");
  refused({"ledger", "list", "ca/ca-cert.pem"}, "'ca/ca-cert.pem' is no SQLite file, no ledger");
  refused({"ledger", "list", "--state", "plaxed"},
          "--state 'plaxed' is no state; did you mean 'placed'?");
  refused({"ledger", "list", "--format", "xml"},
          "--format 'xml' is no format; known are table, csv, json");
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(cli::run(std::vector<std::string>{"ledger", "list"}, out, err), 4);
  EXPECT_THAT(err.str(), HasSubstr("writing to standard output"));
}

}  // namespace
}  // namespace imprint::cli::test
