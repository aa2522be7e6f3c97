#pragma once

#include "batch_plan.hpp"
#include "csv_file.hpp"
#include "device.hpp"
#include "imprint/ledger/ledger.hpp"

namespace imprint::pipeline {

/// devices.csv, written as the devices come: id, serial, certificate_sha256, public_key_sha256,
/// not_before, not_after, file.
class DeviceListWriter {
 public:
  static Result<DeviceListWriter> create(const fs::path& path, const BatchPlan::Impl& plan);

  void add(const Device& device);

  Result<> publish() { return csv_.publish(); }

 private:
  DeviceListWriter(CsvFile csv, const BatchPlan::Impl& plan) : csv_(std::move(csv)), plan_(&plan) {}

  CsvFile csv_;
  const BatchPlan::Impl* plan_;
};

/// The same list made from the ledger, for every device of the plan that is placed, in the
/// manifest's order.
Result<> write_device_list(const fs::path& path, const BatchPlan::Impl& plan,
                           const ledger::Ledger& ledger);

}  // namespace imprint::pipeline
