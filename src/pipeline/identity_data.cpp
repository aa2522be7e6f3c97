#include "identity_data.hpp"

#include <nlohmann/json.hpp>

namespace imprint::pipeline {

Result<> expand_identity_data(const manifest::DevicePlan& plan, const manifest::DeviceTable& table,
                              std::size_t row, std::string& text) {
  text.clear();
  if (plan.identity_data.empty()) return {};
  auto data = nlohmann::ordered_json::object();
  for (const manifest::DevicePlan::Datum& datum : plan.identity_data) {
    std::string value;
    IMPRINT_TRY(datum.value.expand(table, row, value));
    data[datum.name] = std::move(value);
  }
  // Manifest and device list are UTF-8, which was checked when they were read.
  text = data.dump();
  return {};
}

}  // namespace imprint::pipeline
