// A device list that is not right: the message names file, line and column.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "refusal.hpp"

namespace imprint::cli::test {
namespace {

std::function<void(BatchFolder&)> csv(const std::string& content) {
  return [content](BatchFolder& folder) { folder.write("devices.csv", content); };
}

/// The usual columns, with one more line of these values.
std::function<void(BatchFolder&)> row(const std::string& line) {
  return csv("id,serial,psk\nunit-1,1,secret\n" + line + "\n");
}

std::function<void(BatchFolder&)> list(const std::string& name, const std::string& content) {
  return [name, content](BatchFolder& folder) {
    folder.write(name, content);
    folder.manifest["devices"] = name;
    folder.save();
  };
}

std::function<void(BatchFolder&)> named(const std::string& output_name, const std::string& line) {
  return [output_name, line](BatchFolder& folder) {
    folder.manifest["output"]["name"] = output_name;
    folder.save();
    row(line)(folder);
  };
}

TEST(BadDevices, TheListIsRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"empty", csv(""), "devices.csv: empty; a header row is needed"},
      {"header only", csv("id,serial,psk\n"), "devices.csv: no devices"},
      {"no id", csv("serial,psk\n1,x\n"), "devices.csv:1: the header has no column 'id'"},
      {"column twice", csv("id,psk,psk\nunit-1,1,2\n"),
       "devices.csv:1: column 'psk' appears twice"},
      {"ragged", row("unit-2,2"), "devices.csv:3: 2 fields, but the header has 3 columns"},
      {"too many fields", row("unit-2,2,x,y"),
       "devices.csv:3: 4 fields, but the header has 3 columns"},
      {"unclosed quote", row("unit-2,2,\"x"),
       "devices.csv:3: a quote is opened in this row and never closed"},
      {"text after a quote", row("unit-2,2,\"x\"y"),
       "devices.csv:3: column 13: a quote in the wrong place; put the whole field in quotes and "
       "write \"\" for one"},
      {"invalid UTF-8", row("unit-2,2,\xc3\x28"),
       "devices.csv:3: column 'psk': invalid UTF-8 at byte 1; save the file as UTF-8"},
      {"semicolons", csv("id;serial;psk\nunit-1;1;x\n"),
       "devices.csv:1: the header has no column 'id'; columns are separated by commas"},
      {"broken JSON line", list("d.jsonl", "{\"id\":\"unit-1\"}\n{\"id\":\n"),
       "d.jsonl:2: column 7: not valid JSON: while parsing value - unexpected end of input; "
       "expected '[', '{', or a literal"},
      {"JSON object", list("d.json", "{\"id\":\"unit-1\"}"),
       "d.json: an array of devices is expected"},
      {"nested JSON", list("d.json", "[{\"id\":\"unit-1\",\"serial\":{\"a\":1}}]"),
       "d.json: /0: the value of 'serial' is an object; text, a number, true or false is expected"},
  });
}

TEST(BadDevices, IdsAreRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"twice", row("unit-1,2,x"), "devices.csv:3: id 'unit-1' is the id of devices.csv:2 too"},
      {"twins but for case", row("UNIT-1,2,x"),
       "devices.csv:3: id 'UNIT-1' differs only in case from 'unit-1' of devices.csv:2; some file "
       "systems would take them for one"},
      {"empty", row(",2,x"), "devices.csv:3: no 'id'; every device needs one"},
      {"slash", row("a/b,2,x"), "devices.csv:3: id 'a/b': only A-Z a-z 0-9 . _ : - are possible"},
      {"leads out", row("../../etc/passwd,2,x"),
       "devices.csv:3: id '../../etc/passwd': only A-Z a-z 0-9 . _ : - are possible"},
      {"hidden", row(".unit,2,x"), "devices.csv:3: id '.unit': it cannot start with a dot or dash"},
      {"like an option", row("-unit,2,x"),
       "devices.csv:3: id '-unit': it cannot start with a dot or dash"},
      {"blank", row("unit 2,2,x"),
       "devices.csv:3: id 'unit 2': only A-Z a-z 0-9 . _ : - are possible"},
      {"too long", row(std::string(65, 'u') + ",2,x"),
       "devices.csv:3: id 'uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu': 65 "
       "bytes; at most 64 are possible"},
      {"letters of others", row("\xc3\xbcnit,2,x"),
       "devices.csv:3: id '\xC3\xBCnit': only A-Z a-z 0-9 . _ : - are possible"},
  });
}

TEST(BadDevices, ValuesAreRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"control character", row("unit-2,2\x01,x"),
       "devices.csv:3: column 'serial': U+0001 (control character) is not allowed"},
      {"NUL", row(std::string("unit-2,2\0,x", 11)),
       "devices.csv:3: column 'serial': U+0000 (control character) is not allowed"},
      {"bidirectional", row("unit-2,2\xe2\x80\xae,x"),
       "devices.csv:3: column 'serial': U+202E (bidirectional control) is not allowed"},
      {"empty variable", row("unit-2,,x"),
       "devices.csv:3: column 'serial' is empty; SAN URI 'urn:serial:{serial}' needs it"},
      {"long CN", row(std::string(60, 'u') + ",2,x"),
       "devices.csv:3: subject CN '{id}.devices.example.com': "
       "'uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu.devices.example.com': 80 "
       "characters; a CN may have at most 64 (RFC 5280)"},
      {"SAN that is no name",
       [](BatchFolder& folder) {
         folder.manifest["identity"]["san"][0] = "DNS:{serial}.example.com";
         folder.save();
         row("unit-2,no name,x")(folder);
       },
       "devices.csv:3: SAN DNS '{serial}.example.com': 'no name.example.com': 'no "
       "name.example.com' is no DNS name: it has a character that no host name has; use letters, "
       "digits, '-' and '.', and punycode for others (RFC 1123)"},
      {"several rows", row("unit-2,,x\nunit-3,,x\nunit-4,,x"),
       "devices.csv:3: column 'serial' is empty; SAN URI 'urn:serial:{serial}' needs it (and 2 "
       "more rows)"},
  });
}

TEST(BadDevices, OutputNamesAreRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"leads out", named("{serial}.sdimg", "unit-2,../../etc/passwd,x"),
       "devices.csv:3: output name '{serial}.sdimg': '../../etc/passwd.sdimg': a slash cannot be "
       "in a file name"},
      {"absolute", named("{serial}", "unit-2,/etc/passwd,x"),
       "devices.csv:3: output name '{serial}': '/etc/passwd': a slash cannot be in a file name"},
      {"same name", named("{serial}.sdimg", "unit-2,1,x"),
       "devices.csv:3: output name '{serial}.sdimg': '1.sdimg': the name of devices.csv:2 too "
       "(case ignored); use {id} in it"},
      {"same name but for case", named("{psk}.sdimg", "unit-2,2,SECRET"),
       "devices.csv:3: output name '{psk}.sdimg': 'SECRET.sdimg': the name of devices.csv:2 too "
       "(case ignored); use {id} in it"},
      {"hidden", named("{serial}", "unit-2,.hidden,x"),
       "devices.csv:3: output name '{serial}': '.hidden': it cannot start with a dot or dash"},
      {"own file", named("{serial}", "unit-2,Report.JSON,x"),
       "devices.csv:3: output name '{serial}': 'Report.JSON': imprint itself uses this name"},
      {"too long", named("{serial}.sdimg", "unit-2," + std::string(260, 'n') + ",x"),
       "devices.csv:3: output name '{serial}.sdimg': "
       "'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn'...: 266 "
       "bytes; a name may have at most 250"},
  });
}

TEST(GoodDevices, SpreadsheetsHabitsAreFine) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::empty_b, 1);
  folder.write(
      "devices.csv",
      "\xef\xbb\xbfpsk,\"id\",serial,note\r\n\"with \"\"quotes\"\", and comma\",unit-1,1,\r\n"
      "\"two\nlines\",unit-2,2,\xc3\xa9t\xc3\xa9\r\n");
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(ImageOracle("out/unit-1.sdimg").cat(kData, "/wifi/psk"),
            "with \"quotes\", and comma\n");
  EXPECT_EQ(ImageOracle("out/unit-2.sdimg").cat(kData, "/wifi/psk"), "two\nlines\n");
}

TEST(GoodDevices, JsonAndJsonLinesMakeTheSameBatch) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::empty_b, 1);
  folder.write("d.json",
               R"([{"id":"unit-1","serial":7,"psk":"a"},{"id":"unit-2","serial":"8","psk":"b"}])");
  folder.write("d.jsonl",
               "{\"id\":\"unit-1\",\"serial\":7,\"psk\":\"a\"}\n\n"
               "{\"id\":\"unit-2\",\"serial\":\"8\",\"psk\":\"b\"}\n");
  for (const std::string name : {"d.json", "d.jsonl"}) {
    const auto made =
        imprint({"batch", "manifest.json", "--devices", name, "--output", name + ".out"});
    ASSERT_EQ(made.status, 0) << made.err;
    EXPECT_EQ(ImageOracle(name + ".out/unit-2.sdimg").cat(kData, "/wifi/psk"), "b\n");
  }
}

}  // namespace
}  // namespace imprint::cli::test
