#include "imprint/manifest/template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "imprint/manifest/devices.hpp"
#include "support/matchers.hpp"

namespace imprint::manifest {
namespace {

using test::FailsWith;
using test::IsOk;
using testing::ElementsAre;

Template parsed(std::string_view text) {
  auto result = Template::parse(text);
  EXPECT_THAT(result, IsOk()) << text;
  return result.value();
}

Result<std::string> expanded(const Template& text) {
  std::string out;
  const auto lookup = [](std::string_view name) -> std::optional<std::string_view> {
    if (name == "id") return "dev-1";
    if (name == "tricky") return "{id}{{";
    if (name == "empty") return "";
    return std::nullopt;
  };
  IMPRINT_TRY(text.expand(lookup, out));
  return out;
}

TEST(Template, WithoutVariablesIsAConstant) {
  const Template text = parsed("plain");
  EXPECT_TRUE(text.is_constant());
  EXPECT_EQ(text.constant(), "plain");
}

TEST(Template, DoubledBracesAreOneBrace) {
  EXPECT_EQ(parsed("{{\"a\": {{}}}}").constant(), "{\"a\": {}}");
  EXPECT_EQ(expanded(parsed("{{{id}}}")).value(), "{dev-1}");
}

TEST(Template, NamesItsVariablesOnceAndInOrder) {
  EXPECT_THAT(parsed("{b}-{a}-{b}").variables(), ElementsAre("b", "a"));
}

TEST(Template, InsertsValuesWithoutReadingThem) {
  EXPECT_EQ(expanded(parsed("<{tricky}>")).value(), "<{id}{{>");
  EXPECT_EQ(expanded(parsed("%s%n%%{id}")).value().substr(0, 6), "%s%n%%") << "no format either";
}

TEST(Template, TakesTheNamesSpreadsheetsHave) {
  EXPECT_THAT(parsed("{Serial No. 1}{größe}{mac-0}").variables(),
              ElementsAre("Serial No. 1", "größe", "mac-0"));
}

TEST(Template, SaysWhereABraceHasNoPartner) {
  EXPECT_THAT(Template::parse("ab{id"),
              FailsWith(Code::invalid_input, "column 3: '{' is never closed"));
  EXPECT_THAT(Template::parse("ab}"),
              FailsWith(Code::invalid_input, "column 3: '}' without a '{'"));
  EXPECT_THAT(Template::parse("{"),
              FailsWith(Code::invalid_input, "column 1: '{' is never closed"));
}

TEST(Template, CountsColumnsInCharacters) {
  EXPECT_THAT(Template::parse("ææ{"), FailsWith(Code::invalid_input, "column 3: "));
}

TEST(Template, RefusesNamesThatAreNone) {
  EXPECT_THAT(Template::parse("x{}"),
              FailsWith(Code::invalid_input, "column 2: a variable without a name"));
  EXPECT_THAT(Template::parse("{\"a\": 1}"),
              FailsWith(Code::invalid_input,
                        "column 2: '\"' cannot be in a variable's name; write '{{' for a brace"));
  EXPECT_THAT(Template::parse("{ id}"), FailsWith(Code::invalid_input, "space around the name"));
  EXPECT_THAT(Template::parse("{a{b}}"), FailsWith(Code::invalid_input, "column 3: '{' cannot be"));
}

TEST(Template, RefusesInvalidUtf8) {
  EXPECT_THAT(Template::parse("ab\xff"), FailsWith(Code::invalid_input, "invalid UTF-8 at byte 3"));
}

TEST(Template, ExpandingAnUnknownOrEmptyVariableFailsAndLeavesTheOutput) {
  std::string out = "kept";
  const auto none = [](std::string_view) { return std::optional<std::string_view>(); };
  EXPECT_THAT(parsed("a{x}").expand(none, out),
              FailsWith(Code::invalid_input, "variable 'x' is not known"));
  EXPECT_EQ(out, "kept");
  EXPECT_THAT(expanded(parsed("{id}{empty}")),
              FailsWith(Code::invalid_input, "variable 'empty' is empty"));
}

TEST(BoundTemplate, ExpandsRowsByColumn) {
  const auto table = parse_csv_devices("serial,id\ns1,d1\ns2,d2\n", "t.csv").value();
  const auto bound = parsed("{id}/{serial}.").bind(table, "file").value();
  std::string out;
  EXPECT_THAT(bound.expand(table, 1, out), IsOk());
  EXPECT_EQ(out, "d2/s2.");
}

TEST(BoundTemplate, NamesTheNearestColumnForAnUnknownOne) {
  const auto table = parse_csv_devices("serial,id\ns1,d1\n", "t.csv").value();
  EXPECT_THAT(parsed("{serail}").bind(table, "output name"),
              FailsWith(Code::invalid_input,
                        "output name needs column 'serail', which 't.csv' does not have (did you "
                        "mean 'serial'?)"));
}

TEST(BoundTemplate, NamesLineAndColumnOfAnEmptyValue) {
  const auto table = parse_csv_devices("id,serial\nd1,\n", "t.csv").value();
  const auto bound = parsed("{id}-{serial}").bind(table, "output name '{id}-{serial}'").value();
  std::string out = "kept";
  EXPECT_THAT(bound.expand(table, 0, out),
              FailsWith(Code::invalid_input,
                        "t.csv:2: column 'serial' is empty; output name '{id}-{serial}' needs it"));
  EXPECT_EQ(out, "kept");
}

TEST(BoundTemplate, KnowsWhenIdsAloneMakeItDistinct) {
  const auto table = parse_csv_devices("id,serial\nd1,1\n", "t.csv").value();
  EXPECT_TRUE(parsed("a{id}b{id}").bind(table, "").value().distinct_by_id());
  EXPECT_FALSE(parsed("{id}-{serial}").bind(table, "").value().distinct_by_id());
  EXPECT_FALSE(parsed("constant").bind(table, "").value().distinct_by_id());
}

}  // namespace
}  // namespace imprint::manifest
