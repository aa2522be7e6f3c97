// Device lists of all three forms; the input's first byte says which.

#include "expect.hpp"
#include "imprint/manifest/plan.hpp"

namespace {

using namespace imprint;

Result<manifest::DeviceTable> parse(char form, std::string_view text) {
  if (form == 'l') return manifest::parse_json_lines_devices(text, "devices.jsonl");
  if (form == 'j') return manifest::parse_json_devices(text, "devices.json");
  return manifest::parse_csv_devices(text, "devices.csv");
}

const manifest::Manifest& plain_manifest() {
  static const manifest::Manifest result = *manifest::parse_manifest(
      R"({"version": 1, "image": "i.img", "authority": {"certificate": "c", "key": "k"}, "devices": "d.csv",
          "output": {"name": "{name}.img"}})",
      "m.json");
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of_input(data, size);
  if (input.empty()) return 0;
  const auto table = parse(input.front(), input.substr(1));
  if (!table) {
    fuzz::expect_decent(table.error());
    return 0;
  }
  fuzz::expect(table->size() > 0, "a table has devices");
  for (std::size_t row = 0; row < table->size(); ++row) {
    fuzz::expect(manifest::check_device_id(table->id(row)).has_value(), "ids obey their rule");
    fuzz::expect(table->find(table->id(row)) == row, "ids are unique and found");
    for (std::size_t column = 0; column < table->columns().size(); ++column) {
      fuzz::expect(table->value(row, column).size() <= input.size(), "values come from the input");
    }
  }
  const auto plan = manifest::plan_devices(plain_manifest(), *table);
  if (!plan) fuzz::expect_decent(plan.error());
  return 0;
}
