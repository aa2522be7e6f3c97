// The examples in manifests/ are what people copy: each must be right, together with its devices.

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/manifest/plan.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::manifest {
namespace {

using test::IsOk;

const fs::path kManifests = IMPRINT_MANIFESTS;

std::vector<std::string> examples() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kManifests)) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() == ".json" && name != "manifest.schema.json")
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Example : public testing::TestWithParam<std::string> {};

TEST_P(Example, MakesAPlan) {
  const fs::path path = kManifests / GetParam();
  const auto manifest = parse_manifest(test::slurp(path), path);
  ASSERT_THAT(manifest, IsOk());
  const auto devices = load_devices(*manifest);
  ASSERT_THAT(devices, IsOk());
  EXPECT_THAT(plan_devices(*manifest, *devices), IsOk());
}

INSTANTIATE_TEST_SUITE_P(All, Example, testing::ValuesIn(examples()), [](const auto& param_info) {
  std::string name = param_info.param.substr(0, param_info.param.find('.'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Examples, DeviceListsOfBothFormsSayTheSame) {
  const auto csv = read_devices(kManifests / "devices.csv", "devices.csv").value();
  const auto lines = read_devices(kManifests / "devices.jsonl", "devices.jsonl").value();
  ASSERT_EQ(csv.columns(), lines.columns());
  ASSERT_EQ(csv.size(), lines.size());
  for (std::size_t row = 0; row < csv.size(); ++row) {
    for (std::size_t column = 0; column < csv.columns().size(); ++column) {
      EXPECT_EQ(csv.value(row, column), lines.value(row, column));
    }
  }
}

TEST(Schema, IsTheFileThatEditorsUse) {
  EXPECT_EQ(schema_text(), test::slurp(kManifests / "manifest.schema.json"));
}

TEST(Schema, DocumentsTheDefaultsThatTheProgramHas) {
  const auto schema = nlohmann::json::parse(schema_text());
  const auto manifest =
      parse_manifest(
          R"({"version": 1, "image": "i", "authority": {"certificate": "c", "key": "k"}, "devices": "d.csv"})",
          "m")
          .value();
  const auto& identity = schema["properties"]["identity"]["properties"];
  const auto& output = schema["properties"]["output"]["properties"];
  EXPECT_EQ(identity["key"]["default"], crypto::name(manifest.identity.key));
  EXPECT_EQ(identity["days"]["default"],
            std::get<std::uint32_t>(manifest.identity.validity.not_after));
  EXPECT_EQ(identity["profile"]["default"], word(manifest.identity.profile));
  EXPECT_EQ(identity["outlives_ca"]["default"], word(manifest.identity.validity.outlives_ca));
  EXPECT_EQ(identity["basic_constraints"]["default"], manifest.identity.basic_constraints);
  EXPECT_EQ(identity["subject_key_identifier"]["default"],
            manifest.identity.subject_key_identifier);
  EXPECT_EQ(identity["authority_key_identifier"]["default"],
            manifest.identity.authority_key_identifier);
  EXPECT_EQ(identity["key_path"]["default"], manifest.identity.key_path);
  EXPECT_EQ(identity["certificate_path"]["default"], manifest.identity.certificate_path);
  EXPECT_EQ(schema["properties"]["mender_conf"]["properties"]["target"]["default"],
            word(manifest.mender_conf.target));
  const auto& ca = schema["definitions"]["authority"]["properties"];
  EXPECT_EQ(ca["command_timeout"]["default"], authority::CommandKey{}.timeout.count());
  EXPECT_EQ(output["directory"]["default"], manifest.output.directory.native());
  EXPECT_EQ(output["format"]["default"], word(manifest.output.format));
  EXPECT_EQ(output["bmap"]["default"], manifest.output.bmap);
}

}  // namespace
}  // namespace imprint::manifest
