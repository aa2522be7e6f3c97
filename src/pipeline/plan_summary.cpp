#include "plan_summary.hpp"

#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace imprint::pipeline {

namespace {

using Json = nlohmann::ordered_json;

/// Text, or a list of text or of servers: what the entries of `mender_conf` set.
std::string text_of_setting(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object()) return text_of_setting(value.at("ServerURL"));
  std::vector<std::string> elements;
  for (const Json& element : value)
    elements.push_back(text_of_setting(element));
  return fmt::format("{}", fmt::join(elements, ", "));
}

}  // namespace

void summarize_identity(BatchPlan::Impl& plan, const DeviceProfile& described) {
  const manifest::IdentitySpec& identity = plan.manifest.identity;
  PlanSummary& summary = plan.summary;
  const auto append = [](std::vector<std::string>& lines, std::span<const std::string> more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  append(summary.warnings, plan.authority->warnings());
  append(summary.warnings, described.warnings);
  append(summary.notes, described.notes);
  summary.authority = plan.authority->certificate().subject_text();
  summary.not_before = to_rfc3339(described.spec.not_before);
  summary.not_after = to_rfc3339(described.spec.not_after);
  summary.key = crypto::name(identity.key);
  summary.profile = manifest::word(identity.profile);
  for (const manifest::SubjectTemplate& attribute : identity.subject) {
    summary.subject.push_back(
        fmt::format("{}={}", crypto::word(attribute.field), attribute.value.text()));
  }
  for (const manifest::AltNameTemplate& name : identity.san) {
    const std::string type = name.hardware_type.empty() ? "" : name.hardware_type + ";";
    summary.alt_names.push_back(
        fmt::format("{}:{}{}", crypto::word(name.kind), type, name.value.text()));
  }
  summary.extensions = crypto::describe_extensions(described.spec);
}

void summarize_files(BatchPlan::Impl& plan) {
  PlanSummary& summary = plan.summary;
  if (plan.golden) {
    constexpr auto kFormat = "{} (partition {})";
    for (const auto& file : plan.golden->shared_files())
      summary.shared_files.push_back(fmt::format(kFormat, file.path, file.partition));
    for (const auto& file : plan.golden->placed_files())
      summary.placed_files.push_back(fmt::format(kFormat, file.path, file.partition));
    return;
  }
  for (const golden::SharedFile& file : plan.guest_recipe->files)
    summary.shared_files.push_back(file.path);
  for (const golden::MergedFile& file : plan.guest_recipe->merges)
    summary.shared_files.push_back(file.path);
  for (const golden::DeviceFile& file : plan.guest_recipe->device_files)
    summary.placed_files.push_back(file.path);
}

std::vector<std::string> setting_lines(const Json& settings) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : settings.items()) {
    if (value.is_null()) continue;  // only makes room for the setting that it excludes
    const bool secret = name == "TenantToken";
    lines.push_back(fmt::format("{}: {}", name, secret ? "(not shown)" : text_of_setting(value)));
  }
  return lines;
}

}  // namespace imprint::pipeline
