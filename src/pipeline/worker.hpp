#pragma once

#include "batch_plan.hpp"
#include "device.hpp"
#include "imprint/base/result.hpp"

namespace imprint::pipeline {

/// One thread's tools for the mint stage: from a row of the device table to a checked overlay. Not
/// thread-safe.
class Worker {
 public:
  static Result<Worker> create(const BatchPlan::Impl& plan);

  /// Fills everything of `device` that follows from its row: names, key, certificate, overlay.
  /// Reuses its buffers.
  Result<> make(Device& device);

 private:
  Worker(const BatchPlan::Impl& plan, crypto::Minter minter)
      : plan_(&plan),
        minter_(std::move(minter)) {}

  Result<> expand(Device& device) const;

  const BatchPlan::Impl* plan_;
  crypto::Minter minter_;
  std::vector<std::string_view> slots_;
  std::uint64_t made_ = 0;
};

}  // namespace imprint::pipeline
