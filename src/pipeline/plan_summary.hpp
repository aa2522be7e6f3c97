#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "batch_plan.hpp"
#include "profile_spec.hpp"

/// What a plan shows of its parts. Nothing of it is secret: it is printed and goes to report.json.
namespace imprint::pipeline {

/// The authority and what all certificates are like.
void summarize_identity(BatchPlan::Impl& plan, const DeviceProfile& described);

/// Where the shared and the devices' files go; without a golden image only their paths are known.
void summarize_files(BatchPlan::Impl& plan);

/// One line a setting that is set; the tenant token's value is left out.
[[nodiscard]] std::vector<std::string> setting_lines(const nlohmann::ordered_json& settings);

}  // namespace imprint::pipeline
