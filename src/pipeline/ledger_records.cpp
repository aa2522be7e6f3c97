#include "ledger_records.hpp"

namespace imprint::pipeline {

std::string_view placed_file(const BatchPlan::Impl& plan, std::string_view image_name) noexcept {
  return plan.manifest.output.format == manifest::OutputFormat::overlay ? kStoreName : image_name;
}

ledger::Issued issued_record(const BatchPlan::Impl& plan, const Device& device, TimePoint at) {
  const crypto::ProfileSpec& profile = plan.profile->spec();
  return {
      .device_id = device.id,
      .subject = device.subject,
      .serial = device.identity.serial,
      .certificate_sha256 = device.identity.certificate_sha256,
      .public_key_sha256 = device.identity.public_key_sha256,
      .not_before = profile.not_before,
      .not_after = profile.not_after,
      .key_kind = crypto::name(profile.key),
      .at = at,
      .certificate = device.identity.certificate,
      .public_key = device.identity.public_key,
      .identity_data = device.identity_data,
      .purpose = ledger::Purpose::device,
  };
}

void PendingOutcomes::add(const BatchPlan::Impl& plan, const Device& device, TimePoint at) {
  if (device.error) {
    entries_.push_back(
        {device.certificate_row, ledger::State::failed, {}, device.error->message(), at});
  } else {
    entries_.push_back({device.certificate_row,
                        ledger::State::placed,
                        std::string(placed_file(plan, device.name)),
                        {},
                        at});
  }
}

std::vector<ledger::Outcome> PendingOutcomes::records() const {
  std::vector<ledger::Outcome> records;
  records.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    records.push_back({.certificate_row = entry.certificate_row,
                       .state = entry.state,
                       .file = entry.file,
                       .digest = {},
                       .reason = entry.reason,
                       .at = entry.at});
  }
  return records;
}

}  // namespace imprint::pipeline
