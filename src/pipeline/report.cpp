// report.json and the printed plan (docs/output.md). Roots are records with a version, so that
// fields can be added.

#include <nlohmann/json.hpp>

#include "imprint/base/version.hpp"
#include "imprint/pipeline/batch.hpp"

namespace imprint::pipeline {

namespace {

using Json = nlohmann::ordered_json;

Json plan_record(const PlanSummary& plan) {
  Json record = {
      {"manifest", plan.manifest},
      {"image", plan.image},
      {"image_digest", plan.image_digest},
      {"golden_digest", plan.golden_digest},
      {"authority", plan.authority},
      {"key", plan.key},
      {"profile", plan.profile},
      {"subject", plan.subject},
      {"alt_names", plan.alt_names},
      {"extensions", plan.extensions},
      {"not_before", plan.not_before},
      {"not_after", plan.not_after},
      {"output_directory", plan.output_directory},
      {"format", plan.format},
      {"devices", plan.devices},
      {"bytes_needed", plan.bytes_needed},
      {"bytes_free", plan.bytes_free},
      {"reflink", plan.reflink},
      {"settings", plan.settings},
      {"shared_files", plan.shared_files},
      {"files", plan.placed_files},
      {"notes", plan.notes},
      {"warnings", plan.warnings},
  };
  if (plan.key_seconds) record["key_seconds"] = *plan.key_seconds;
  return record;
}

std::string_view outcome(const BatchReport& report) {
  if (report.interrupted) return "interrupted";
  if (report.failed > 0) return "some-failed";
  return report.limited ? "limited" : "done";
}

}  // namespace

std::string to_json(const PlanSummary& plan) {
  return Json{{"version", 1}, {"plan", plan_record(plan)}}.dump(2) + "\n";
}

std::string to_json(const PlanSummary& plan, const BatchReport& report) {
  const double rate = report.seconds > 0 ? static_cast<double>(report.done) / report.seconds : 0;
  const Json record = {
      {"version", 1},
      {"imprint", kVersion},
      {"outcome", outcome(report)},
      {"devices", report.devices},
      {"done_before", report.done_before},
      {"done", report.done},
      {"failed", report.failed},
      {"superseded", report.superseded},
      {"bytes_written", report.bytes_written},
      {"seconds", report.seconds},
      {"devices_per_second", rate},
      {"peak_memory_bytes", report.peak_memory_bytes},
      {"jobs", report.jobs},
      {"stage_seconds",
       {{"mint", report.stages.mint},
        {"record", report.stages.record},
        {"place", report.stages.place},
        {"finish", report.stages.finish}}},
      {"warnings", report.warnings},
      {"plan", plan_record(plan)},
  };
  return record.dump(2) + "\n";
}

}  // namespace imprint::pipeline
