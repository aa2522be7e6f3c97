#include "device_list.hpp"

#include "ledger_records.hpp"

namespace imprint::pipeline {

namespace {

// Anybody may read who got which certificate; nothing in it is secret.
constexpr unsigned kListMode = 0644;

void add_header(CsvFile& csv) {
  for (const char* name : {"id", "serial", "certificate_sha256", "public_key_sha256", "not_before",
                           "not_after", "file"}) {
    csv.field(name);
  }
  csv.end_row();
}

}  // namespace

Result<DeviceListWriter> DeviceListWriter::create(const fs::path& path,
                                                  const BatchPlan::Impl& plan) {
  CsvFile csv = IMPRINT_TRY(CsvFile::create(path, kListMode));
  add_header(csv);
  return DeviceListWriter(std::move(csv), plan);
}

void DeviceListWriter::add(const Device& device) {
  csv_.field(device.id);
  csv_.field(to_hex(device.identity.serial));
  csv_.field(to_hex(device.identity.certificate_sha256));
  csv_.field(to_hex(device.identity.public_key_sha256));
  csv_.field(plan_->summary.not_before);
  csv_.field(plan_->summary.not_after);
  csv_.field(placed_file(*plan_, device.name));
  csv_.end_row();
}

Result<> write_device_list(const fs::path& path, const BatchPlan::Impl& plan,
                           const ledger::Ledger& ledger) {
  CsvFile csv = IMPRINT_TRY(CsvFile::create(path, kListMode));
  add_header(csv);
  for (std::size_t row = 0; row < plan.devices.size(); ++row) {
    const auto found = IMPRINT_TRY(ledger.find_device(plan.devices.id(row)));
    if (!found || found->state != ledger::State::placed) continue;
    csv.field(found->device_id);
    csv.field(to_hex(found->serial));
    csv.field(to_hex(found->certificate_sha256));
    csv.field(to_hex(found->public_key_sha256));
    csv.field(to_rfc3339(found->not_before));
    csv.field(to_rfc3339(found->not_after));
    csv.field(found->file);
    csv.end_row();
  }
  return csv.publish();
}

}  // namespace imprint::pipeline
