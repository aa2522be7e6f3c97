#include "imprint/manifest/devices.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::manifest {
namespace {

using test::FailsWith;
using test::IsOk;
using testing::ElementsAre;

Result<DeviceTable> csv(std::string_view text) {
  return parse_csv_devices(text, "devices.csv");
}

std::string cell(const DeviceTable& table, std::size_t row, std::string_view column) {
  return std::string(table.value(row, table.column(column).value()));
}

TEST(CsvDevices, ReadsColumnsInAnyOrder) {
  const auto table = csv("serial,id,mac\nS1,a,m1\nS2,b,m2\n").value();
  EXPECT_EQ(table.size(), 2U);
  EXPECT_THAT(table.columns(), ElementsAre("serial", "id", "mac"));
  EXPECT_EQ(table.id(1), "b");
  EXPECT_EQ(cell(table, 0, "serial"), "S1");
  EXPECT_EQ(cell(table, 1, "mac"), "m2");
  EXPECT_EQ(table.place(1), "devices.csv:3");
  EXPECT_FALSE(table.column("Serial"));
}

TEST(CsvDevices, ReadsWhatSpreadsheetsWrite) {
  const auto table =
      csv("\xef\xbb\xbfid,note\r\na,\"x, \"\"y\"\"\"\r\nb,\"two\r\nlines\"\r\n\r\nc, spaced \r\n")
          .value();
  EXPECT_EQ(cell(table, 0, "note"), "x, \"y\"");
  EXPECT_EQ(cell(table, 1, "note"), "two\r\nlines");
  EXPECT_EQ(cell(table, 2, "note"), " spaced ");
  EXPECT_EQ(table.line(0), 2U);
  EXPECT_EQ(table.line(1), 3U);
  EXPECT_EQ(table.line(2), 6U);
}

TEST(CsvDevices, NeedsNoLineBreakAtTheEnd) {
  EXPECT_EQ(csv("id\na").value().id(0), "a");
}

TEST(CsvDevices, CountsLinesThatEndInCarriageReturnAlone) {
  const auto table = csv("id\ra\rb\r").value();
  EXPECT_EQ(table.line(1), 3U);
}

TEST(CsvDevices, FindsRowsById) {
  const auto table = csv("id\nabc\nDEF\n").value();
  EXPECT_EQ(table.find("DEF"), 1U);
  EXPECT_EQ(table.find("def"), std::nullopt);
  EXPECT_EQ(table.find("x"), std::nullopt);
}

TEST(CsvDevices, NeedsDevices) {
  EXPECT_THAT(csv(""),
              FailsWith(Code::invalid_input, "devices.csv: empty; a header row is needed"));
  EXPECT_THAT(csv("id,serial\n"), FailsWith(Code::invalid_input, "devices.csv: no devices"));
}

TEST(CsvDevices, NeedsAnIdColumn) {
  EXPECT_THAT(csv("serial\n1\n"),
              FailsWith(Code::invalid_input, "devices.csv:1: the header has no column 'id'"));
  EXPECT_THAT(csv("ID,serial\n1,2\n"), FailsWith(Code::invalid_input, "rename 'ID' to 'id'"));
  EXPECT_THAT(csv("id;serial\n1;2\n"),
              FailsWith(Code::invalid_input, "columns are separated by commas"));
}

TEST(CsvDevices, RefusesBadHeaders) {
  EXPECT_THAT(csv("id,a,a\n"),
              FailsWith(Code::invalid_input, "devices.csv:1: column 'a' appears twice"));
  EXPECT_THAT(csv("id,,b\n"),
              FailsWith(Code::invalid_input, "devices.csv:1: column 2 has no name"));
  EXPECT_THAT(csv("id, b\n"), FailsWith(Code::invalid_input, "column ' b': space around the name"));
  EXPECT_THAT(csv("id,{b}\n"), FailsWith(Code::invalid_input, "braces"));
}

TEST(CsvDevices, RefusesRaggedRows) {
  EXPECT_THAT(
      csv("id,a\nx,1\ny\n"),
      FailsWith(Code::invalid_input, "devices.csv:3: 1 field, but the header has 2 columns"));
  EXPECT_THAT(
      csv("id,a\nx,1,2\n"),
      FailsWith(Code::invalid_input, "devices.csv:2: 3 fields, but the header has 2 columns"));
  EXPECT_THAT(csv("id,a\nx,\"1\n2\"\ny"),
              FailsWith(Code::invalid_input, "devices.csv:4: 1 field,"));
}

TEST(CsvDevices, RefusesMisplacedQuotes) {
  EXPECT_THAT(
      csv("id,a\nx,1\ny,5\" disk\n"),
      FailsWith(Code::invalid_input, "devices.csv:3: column 4: a quote in the wrong place"));
  EXPECT_THAT(csv("id,a\nx,\"1\" \n"),
              FailsWith(Code::invalid_input, "devices.csv:2: column 6: a quote"));
  EXPECT_THAT(csv("id,a\nx,1\ny,\"open\nz,2\n"),
              FailsWith(Code::invalid_input,
                        "devices.csv:3: a quote is opened in this row and never closed"));
}

TEST(CsvDevices, RefusesOtherEncodings) {
  EXPECT_THAT(csv("\xff\xfei\0d\0"), FailsWith(Code::invalid_input, "devices.csv: UTF-16"));
  EXPECT_THAT(
      csv("id,name\nx,Bj\xf8rn\n"),
      FailsWith(Code::invalid_input, "devices.csv:2: column 'name': invalid UTF-8 at byte 3"));
}

TEST(CsvDevices, RefusesCharactersThatDeceive) {
  EXPECT_THAT(csv("id,name\nx,a\xe2\x80\xae"
                  "b\n"),
              FailsWith(Code::invalid_input, "devices.csv:2: column 'name': U+202E"));
  EXPECT_THAT(csv(std::string_view("id,name\nx,a\0b\n", 14)),
              FailsWith(Code::invalid_input, "devices.csv:2: column 'name': U+0000"));
  EXPECT_THAT(csv("id,name\nx,\x1b[31m\n"), FailsWith(Code::invalid_input, "U+001B"));
}

TEST(CsvDevices, LeavesTabsAndLineBreaksInValues) {
  EXPECT_EQ(cell(csv("id,t\nx,\"a\tb\nc\"\n").value(), 0, "t"), "a\tb\nc");
}

TEST(CsvDevices, RefusesAValueThatIsTooLong) {
  const std::string text = "id,t\nx," + std::string((1U << 20) + 1, 'a') + "\n";
  EXPECT_THAT(csv(text),
              FailsWith(Code::invalid_input, "devices.csv:2: column 't': 1048577 bytes"));
}

TEST(CsvDevices, TakesALongValue) {
  const std::string value(1U << 20, 'a');
  const auto table = csv("id,t\nx,1\ny," + value + "\nz,2\n").value();
  EXPECT_EQ(cell(table, 1, "t"), value);
  EXPECT_EQ(cell(table, 2, "t"), "2");
}

TEST(CsvDevices, RefusesDuplicates) {
  EXPECT_THAT(
      csv("id\na\nb\na\n"),
      FailsWith(Code::invalid_input, "devices.csv:4: id 'a' is the id of devices.csv:2 too"));
  EXPECT_THAT(
      csv("id\ndev-a\nDev-A\n"),
      FailsWith(Code::invalid_input,
                "devices.csv:3: id 'Dev-A' differs only in case from 'dev-a' of devices.csv:2"));
}

TEST(CsvDevices, FindsADuplicateAmongMany) {
  std::string text = "id\n";
  for (int i = 0; i < 20000; ++i)
    text += fmt::format("device-{}\n", i);
  EXPECT_EQ(csv(text).value().find("device-19999"), 19999U);
  EXPECT_THAT(
      csv(text + "DEVICE-777\n"),
      FailsWith(Code::invalid_input, "devices.csv:20002: id 'DEVICE-777' differs only in case"));
}

TEST(CsvDevices, HoldsIdsToTheirRule) {
  EXPECT_THAT(csv("id,a\n,1\n"), FailsWith(Code::invalid_input, "devices.csv:2: no 'id'"));
  EXPECT_THAT(csv("id\n../x\n"),
              FailsWith(Code::invalid_input,
                        "devices.csv:2: id '../x': only A-Z a-z 0-9 . _ : - are possible"));
  EXPECT_THAT(csv("id\n.x\n"), FailsWith(Code::invalid_input, "cannot start with a dot or dash"));
  EXPECT_THAT(csv("id\n-x\n"), FailsWith(Code::invalid_input, "cannot start with a dot or dash"));
  EXPECT_THAT(csv("id\nx \n"), FailsWith(Code::invalid_input, "id 'x '"));
  EXPECT_THAT(csv("id\n" + std::string(65, 'x') + "\n"),
              FailsWith(Code::invalid_input, "65 bytes; at most 64"));
  EXPECT_THAT(csv("id\n" + std::string(64, 'x') + "\n"), IsOk());
  EXPECT_THAT(csv("id\nA.b_c:d-0\n"), IsOk());
}

TEST(CsvDevices, ReadsAFileInPartsAsTheWhole) {
  std::string text = "id,note\r\n";
  for (int i = 0; i < 30000; ++i)
    text += fmt::format("d{},\"line {}\r\nnext, \"\"q\"\"\"\r\n", i, i);
  const test::TempDir dir;
  const auto path = dir.write("big.CSV", text);
  const auto whole = csv(text).value();
  const auto table = read_devices(path, "big.CSV").value();
  ASSERT_EQ(table.size(), whole.size());
  for (std::size_t row = 0; row < table.size(); ++row) {
    ASSERT_EQ(table.id(row), whole.id(row));
    ASSERT_EQ(table.value(row, 1), whole.value(row, 1));
    ASSERT_EQ(table.line(row), 2 + 2 * row);
  }
  dir.write("big.CSV", text + "x,a\"b\n");
  EXPECT_THAT(read_devices(path, "big.CSV"),
              FailsWith(Code::invalid_input, "big.CSV:60002: column 4: a quote"));
}

TEST(Devices, NeedAKnownExtension) {
  EXPECT_THAT(
      read_devices("d.xlsx", "d.xlsx"),
      FailsWith(Code::invalid_input, "'d.xlsx': a device list is a .csv, .jsonl or .json file"));
  EXPECT_THAT(read_devices("/nowhere/d.csv", "d.csv"),
              FailsWith(Code::not_found, "/nowhere/d.csv"));
}

TEST(Devices, CanBeOneFromTheCommandLine) {
  const auto table = one_device("dev-1", {{"serial", "7"}}, "--set").value();
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(cell(table, 0, "serial"), "7");
  EXPECT_THAT(one_device("dev 1", {}, "--set"), FailsWith(Code::invalid_input, "id 'dev 1'"));
  EXPECT_THAT(one_device("a", {{"x", "1"}, {"x", "2"}}, "--set"),
              FailsWith(Code::invalid_input, "'x' appears twice"));
}

}  // namespace
}  // namespace imprint::manifest
