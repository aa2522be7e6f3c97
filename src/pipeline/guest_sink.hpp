#pragma once

#include <mutex>

#include "batch_plan.hpp"
#include "sink.hpp"

namespace imprint::pipeline {

/// How many images share the start of an appliance. More would take longer to be lost to a kill
/// than they save: a start is ten to thirty seconds at most, an image a few.
inline constexpr std::size_t kDevicesPerAppliance = 16;

/// One image file per device where only a Linux kernel can write to the data partition: clones of
/// the base image, which an appliance edits one after the other, each checked through another
/// mount.
class GuestSink final : public Sink {
 public:
  /// The plan outlives it.
  explicit GuestSink(const BatchPlan::Impl& plan) : plan_(plan) {}

  Result<> place(Device& device) override;
  void place_group(std::span<Device*> devices) override;
  Result<> publish(std::span<Device*> devices) override;
  Result<bool> carries(std::string_view id, std::string_view name,
                       const crypto::Sha256Digest& certificate) override;

 private:
  Result<> clone_base(Device& device) const;
  Result<> edit(guestfs::Appliance& appliance, std::size_t drive, Device& device) const;
  Result<> write_bmap(Device& device) const;

  const BatchPlan::Impl& plan_;
  std::mutex one_appliance_;  // each has a machine's memory
};

}  // namespace imprint::pipeline
