#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "imprint/manifest/devices.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::manifest {
namespace {

using test::FailsWith;
using testing::ElementsAre;

Result<DeviceTable> lines(std::string_view text) {
  return parse_json_lines_devices(text, "devices.jsonl");
}

Result<DeviceTable> array(std::string_view text) {
  return parse_json_devices(text, "devices.json");
}

std::string cell(const DeviceTable& table, std::size_t row, std::string_view column) {
  return std::string(table.value(row, table.column(column).value()));
}

TEST(JsonLinesDevices, ReadsOneObjectALine) {
  const auto table = lines("{\"id\": \"a\", \"n\": 1}\n\n{\"n\": 2, \"id\": \"b\"}").value();
  EXPECT_THAT(table.columns(), ElementsAre("id", "n"));
  EXPECT_EQ(cell(table, 1, "n"), "2");
  EXPECT_EQ(table.place(1), "devices.jsonl:3");
}

TEST(JsonLinesDevices, KeepsNumbersAsWritten) {
  const auto table =
      lines(
          R"({"id": 17, "a": 0.10, "b": 1e3, "c": -5, "d": 18446744073709551615, "e": 123456789012345678901234567890})")
          .value();
  EXPECT_EQ(table.id(0), "17");
  EXPECT_EQ(cell(table, 0, "a"), "0.10");
  EXPECT_EQ(cell(table, 0, "b"), "1e3");
  EXPECT_EQ(cell(table, 0, "c"), "-5");
  EXPECT_EQ(cell(table, 0, "d"), "18446744073709551615");
  EXPECT_EQ(cell(table, 0, "e"), "123456789012345678901234567890");
}

TEST(JsonLinesDevices, TakesMissingAndNullAsEmpty) {
  const auto table =
      lines("{\"id\":\"a\"}\n{\"id\":\"b\",\"x\":true}\n{\"id\":\"c\",\"x\":null}\n").value();
  EXPECT_EQ(cell(table, 0, "x"), "");
  EXPECT_EQ(cell(table, 1, "x"), "true");
  EXPECT_EQ(cell(table, 2, "x"), "");
}

TEST(JsonLinesDevices, SaysLineAndColumnOfWhatIsNoJson) {
  EXPECT_THAT(lines("{\"id\":\"a\"}\n{\"id\":\"b\",}\n"),
              FailsWith(Code::invalid_input,
                        "devices.jsonl:2: column 11: not valid JSON: while parsing object key"));
  EXPECT_THAT(lines("{\"id\":\"a\"}\n{\"id\":\"b\"\n"),
              FailsWith(Code::invalid_input, "devices.jsonl:2: column"));
  EXPECT_THAT(lines("{\"id\":\"a\xff\"}\n"), FailsWith(Code::invalid_input, "ill-formed UTF-8"));
}

TEST(JsonLinesDevices, RefusesWhatIsNoDevice) {
  EXPECT_THAT(lines("[]\n"),
              FailsWith(Code::invalid_input, "devices.jsonl:1: a device is an object"));
  EXPECT_THAT(lines("17\n"),
              FailsWith(Code::invalid_input, "devices.jsonl:1: a device is an object"));
  EXPECT_THAT(lines("{\"id\":\"a\",\"x\":{}}\n"),
              FailsWith(Code::invalid_input,
                        "devices.jsonl:1: the value of 'x' is an object; text, a number, true or "
                        "false is expected"));
  EXPECT_THAT(lines("{\"id\":\"a\",\"x\":[1]}\n"),
              FailsWith(Code::invalid_input, "'x' is an array"));
  EXPECT_THAT(lines("{\"serial\":\"a\"}\n"),
              FailsWith(Code::invalid_input, "devices.jsonl:1: no 'id'"));
  EXPECT_THAT(lines("{\"id\":\"a\",\"id\":\"b\"}\n"),
              FailsWith(Code::invalid_input, "devices.jsonl:1: key 'id' appears twice"));
  EXPECT_THAT(lines("{\"id\":\"a\",\"\":1}\n"), FailsWith(Code::invalid_input, "has no name"));
  EXPECT_THAT(lines("\n \n"), FailsWith(Code::invalid_input, "devices.jsonl: no devices"));
}

TEST(JsonLinesDevices, RefusesCharactersThatDeceive) {
  EXPECT_THAT(lines("{\"id\":\"a\"}\n{\"id\":\"b\",\"t\":\"x\\u0000y\"}"),
              FailsWith(Code::invalid_input, "devices.jsonl:2: column 't': U+0000"));
  EXPECT_THAT(lines("{\"id\":\"b\",\"t\":\"\\u202e\"}"),
              FailsWith(Code::invalid_input, "devices.jsonl:1: column 't': U+202E"));
}

TEST(JsonLinesDevices, RefusesAValueThatIsTooLong) {
  EXPECT_THAT(
      lines("{\"id\":\"a\",\"t\":\"" + std::string((std::size_t{1} << 20) + 1, 'a') + "\"}"),
      FailsWith(Code::invalid_input, "devices.jsonl:1: column 't': 1048577 bytes"));
}

TEST(JsonLinesDevices, BoundsTheColumns) {
  std::string text = "{\"id\":\"a\"";
  for (int i = 0; i < 300; ++i)
    text += fmt::format(",\"k{}\":1", i);
  EXPECT_THAT(lines(text + "}"), FailsWith(Code::invalid_input, "more than 256 columns"));
}

TEST(JsonLinesDevices, ReadsAFileInPartsAsTheWhole) {
  std::string text = "\xef\xbb\xbf";
  for (int i = 0; i < 30000; ++i)
    text += fmt::format("{{\"id\": \"dev-{}\", \"serial\": {}}}\r\n", i, i);
  const test::TempDir dir;
  const auto table = read_devices(dir.write("d.jsonl", text), "d.jsonl").value();
  ASSERT_EQ(table.size(), 30000U);
  for (std::size_t row = 0; row < table.size(); ++row) {
    ASSERT_EQ(table.id(row), fmt::format("dev-{}", row));
    ASSERT_EQ(table.line(row), row + 1);
  }
}

TEST(JsonArrayDevices, ReadsAnArrayOfObjects) {
  const auto table = array("\xef\xbb\xbf[{\"id\": \"a\", \"n\": 1.50},\n {\"id\": \"b\"}]").value();
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(cell(table, 0, "n"), "1.50");
  EXPECT_EQ(table.place(1), "devices.json: /1");
}

TEST(JsonArrayDevices, SaysWhichElementIsWrong) {
  EXPECT_THAT(
      array("[{\"id\":\"a\"},{\"id\":\"a\"}]"),
      FailsWith(Code::invalid_input, "devices.json: /1: id 'a' is the id of devices.json: /0 too"));
  EXPECT_THAT(array("[{\"id\":\"a\"},17]"),
              FailsWith(Code::invalid_input, "devices.json: /1: a device is an object"));
  EXPECT_THAT(array("[[{\"id\":\"a\"}]]"),
              FailsWith(Code::invalid_input, "devices.json: /0: a device is an object"));
  EXPECT_THAT(array("[]"), FailsWith(Code::invalid_input, "devices.json: no devices"));
}

TEST(JsonArrayDevices, RefusesAnythingButAnArray) {
  EXPECT_THAT(array("{\"id\":\"a\"}"),
              FailsWith(Code::invalid_input, "devices.json: an array of devices is expected"));
  EXPECT_THAT(array("1"),
              FailsWith(Code::invalid_input, "devices.json: an array of devices is expected"));
  EXPECT_THAT(array("[{\"id\":\"a\"},\n{\"id\" \"b\"}]"),
              FailsWith(Code::invalid_input, "devices.json: line 2, column 9: not valid JSON"));
  EXPECT_THAT(array(""),
              FailsWith(Code::invalid_input, "devices.json: line 1, column 1: not valid JSON"));
}

}  // namespace
}  // namespace imprint::manifest
