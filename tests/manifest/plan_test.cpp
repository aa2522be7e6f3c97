#include "imprint/manifest/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/matchers.hpp"

namespace imprint::manifest {
namespace {

using test::FailsWith;
using test::IsOk;
using testing::HasSubstr;
using testing::Not;

Manifest manifest_with(std::string_view members) {
  auto document = nlohmann::ordered_json::parse(R"({
    "version": 1, "image": "base.sdimg", "authority": {"certificate": "ca.pem", "key": "ca.key"},
    "devices": "devices.csv"})");
  document.merge_patch(nlohmann::ordered_json::parse(members));
  return parse_manifest(document.dump(), "m.json").value();
}

DeviceTable table_of(std::string_view csv) {
  return parse_csv_devices(csv, "devices.csv").value();
}

Result<DevicePlan> plan(std::string_view members, std::string_view csv) {
  return plan_devices(manifest_with(members), table_of(csv));
}

std::string expanded(const BoundTemplate& text, const DeviceTable& table, std::size_t row) {
  std::string out;
  EXPECT_THAT(text.expand(table, row, out), IsOk());
  return out;
}

TEST(DevicePlan, NumbersSlotsAsTheProfileDoes) {
  const auto table = table_of("id,serial\na,1\nb,2\n");
  const auto p = plan_devices(manifest_with(R"({
    "identity": {"subject": {"O": "constant", "serialNumber": "{serial}", "CN": "{id}.x"},
                 "san": ["DNS:constant.example", "URI:urn:{id}"]},
    "files": [{"text": "constant", "to": "/a"}, {"text": "<{serial}>", "to": "/b"}],
    "identity_data": {"sn": "{serial}"}, "output": {"name": "{serial}-{id}.img"}})"),
                              table)
                     .value();
  ASSERT_EQ(p.slots.size(), 3U);
  EXPECT_EQ(expanded(p.slots[0], table, 1), "2");
  EXPECT_EQ(expanded(p.slots[1], table, 1), "b.x");
  EXPECT_EQ(expanded(p.slots[2], table, 1), "urn:b");
  EXPECT_EQ(expanded(p.output_name, table, 0), "1-a.img");
  ASSERT_EQ(p.texts.size(), 1U);
  EXPECT_EQ(p.texts[0].file, 1U);
  EXPECT_EQ(expanded(p.texts[0].content, table, 0), "<1>");
  ASSERT_EQ(p.identity_data.size(), 1U);
  EXPECT_EQ(p.identity_data[0].name, "sn");
}

TEST(DevicePlan, RefusesAnUnknownVariable) {
  EXPECT_THAT(plan(R"({"output": {"name": "{serail}.img"}})", "id,serial\na,1\n"),
              FailsWith(Code::invalid_input,
                        "m.json: output name '{serail}.img' needs column 'serail', which "
                        "'devices.csv' does not have "
                        "(did you mean 'serial'?)"));
}

TEST(DevicePlan, RefusesAnEmptyVariableAndCountsTheOthers) {
  EXPECT_THAT(plan(R"({"output": {"name": "{id}-{serial}.img"}})", "id,serial\na,1\nb,\nc,\nd,\n"),
              FailsWith(Code::invalid_input,
                        "devices.csv:3: column 'serial' is empty; output name '{id}-{serial}.img' "
                        "needs it (and 2 more rows)"));
  EXPECT_THAT(plan(R"({"output": {"name": "{id}-{serial}.img"}})", "id,serial\na,\nb,\n"),
              FailsWith(Code::invalid_input, "(and 1 more row)"));
}

TEST(DevicePlan, RefusesCertificateValuesThatCryptoRefuses) {
  const std::string long_name(65, 'x');
  EXPECT_THAT(plan(R"({"identity": {"subject": {"CN": "{name}"}}})",
                   "id,name\na,ok\nb," + long_name + "\n"),
              FailsWith(Code::invalid_input,
                        "devices.csv:3: subject CN '{name}': '" + long_name + "': 65 characters"));
  EXPECT_THAT(
      plan(R"({"identity": {"san": ["DNS:{name}.example"]}})", "id,name\na,b c\n"),
      FailsWith(Code::invalid_input, "devices.csv:2: SAN DNS '{name}.example': 'b c.example': "));
  EXPECT_THAT(plan(R"({"identity": {"subject": {"CN": "{name}"}}})", "id,name\na,\"b\nc\"\n"),
              FailsWith(Code::invalid_input, "devices.csv:2: subject CN '{name}': 'b\\nc': "));
}

TEST(DevicePlan, CutsLongValuesInMessages) {
  const auto result = plan(R"({"identity": {"subject": {"CN": "{name}"}}})",
                           "id,name\na," + std::string(5000, 'x') + "\n");
  EXPECT_THAT(result, FailsWith(Code::invalid_input, "x'...: 5000 characters"));
  EXPECT_LT(result.error().message().size(), 300U);
}

TEST(DevicePlan, RefusesOutputNamesThatAreOne) {
  EXPECT_THAT(plan(R"({"output": {"name": "{serial}.img"}})", "id,serial\na,x\nb,y\nc,X\n"),
              FailsWith(Code::invalid_input,
                        "devices.csv:4: output name '{serial}.img': 'X.img': the name of "
                        "devices.csv:2 too (case ignored)"));
  EXPECT_THAT(plan(R"({"output": {"name": "{id}-{serial}"}})", "id,serial\na-b,c\na,b-c\n"),
              FailsWith(Code::invalid_input, "the name of devices.csv:2 too"));
  EXPECT_THAT(plan(R"({"output": {"name": "same.img"}})", "id\na\nb\n"),
              FailsWith(Code::invalid_input, "use {id} in it"));
  EXPECT_THAT(plan(R"({"output": {"name": "same.img"}})", "id\na\n"), IsOk());
}

TEST(DevicePlan, RefusesOutputNamesThatLeaveTheDirectory) {
  EXPECT_THAT(plan(R"({"output": {"name": "{path}.img"}})", "id,path\na,../../etc/x\n"),
              FailsWith(Code::invalid_input,
                        "devices.csv:2: output name '{path}.img': '../../etc/x.img': a slash"));
}

TEST(DevicePlan, NeverRepeatsAFilesText) {
  const auto result = plan(R"({"files": [{"text": "hunter2 {psk}", "to": "/a"}]})", "id,psk\na,\n");
  EXPECT_THAT(result, FailsWith(Code::invalid_input,
                                "devices.csv:2: column 'psk' is empty; file '/a' needs it"));
  EXPECT_THAT(result.error().message(), Not(HasSubstr("hunter2")));
}

TEST(DevicePlan, LetsLineBreaksIntoFilesOnly) {
  EXPECT_THAT(plan(R"({"files": [{"text": "{x}", "to": "/a"}]})", "id,x\na,\"1\n2\"\n"), IsOk());
  EXPECT_THAT(
      plan(R"({"identity_data": {"x": "{x}"}})", "id,x\na,\"1\n2\"\n"),
      FailsWith(Code::invalid_input, "devices.csv:2: identity_data 'x' '{x}': '1\\n2': U+000A"));
}

TEST(OutputName, IsAPlainFileName) {
  for (const char* const name : {"a", "dev-1.sdimg", "a b", "å.img", "A:1_2", "a..b", "bmap"}) {
    EXPECT_THAT(check_output_name(name), IsOk()) << name;
  }
  EXPECT_THAT(check_output_name(""), FailsWith(Code::invalid_input, "needs a name"));
  EXPECT_THAT(check_output_name("a/b"), FailsWith(Code::invalid_input, "slash"));
  EXPECT_THAT(check_output_name(".."), FailsWith(Code::invalid_input, "dot or dash"));
  EXPECT_THAT(check_output_name(".a"), FailsWith(Code::invalid_input, "dot or dash"));
  EXPECT_THAT(check_output_name("-rf"), FailsWith(Code::invalid_input, "dot or dash"));
  EXPECT_THAT(check_output_name("a\nb"), FailsWith(Code::invalid_input, "U+000A"));
  EXPECT_THAT(check_output_name("a\xff"), FailsWith(Code::invalid_input, "UTF-8"));
  EXPECT_THAT(check_output_name(std::string(251, 'a')),
              FailsWith(Code::invalid_input, "at most 250"));
  EXPECT_THAT(check_output_name(std::string(250, 'a')), IsOk());
}

TEST(OutputName, IsNoneOfImprintsOwn) {
  for (const char* const name :
       {"ledger.db", "Ledger.DB", "ledger.db-wal", "overlays.db", "overlays.db-journal",
        "report.json", "devices.csv", "failed.csv", "certificates", "a.bmap", "a.BMAP", "a.tmp"}) {
    EXPECT_THAT(check_output_name(name), FailsWith(Code::invalid_input, "imprint itself uses"))
        << name;
  }
}

}  // namespace
}  // namespace imprint::manifest
