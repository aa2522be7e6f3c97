#pragma once

#include <memory>
#include <vector>

#include "imprint/golden/golden.hpp"
#include "imprint/golden/store.hpp"
#include "sink.hpp"

namespace imprint::pipeline {

/// What the overlay sink needs of a plan. The referenced objects outlive the sink.
struct OverlaySinkPlan {
  const image::FileImage& base;
  const image::Layout& layout;
  const golden::Golden& golden;
  std::span<const golden::DeviceFile> device_files;
};

/// All devices in one overlay store: a few kilobytes a device instead of an image.
class OverlaySink final : public Sink {
 public:
  static Result<std::unique_ptr<OverlaySink>> open(const fs::path& store,
                                                   const golden::StoreHeader& header,
                                                   OverlaySinkPlan plan);

  Result<> place(Device& device) override;
  Result<> publish(std::span<Device*> devices) override;
  Result<bool> carries(std::string_view id, std::string_view name,
                       const crypto::Sha256Digest& certificate) override;

 private:
  OverlaySink(golden::OverlayStore store, OverlaySinkPlan plan)
      : store_(std::move(store)),
        plan_(plan) {}

  golden::OverlayStore store_;
  OverlaySinkPlan plan_;
  std::vector<golden::OverlayStore::Item> items_;  // kept for reuse
};

}  // namespace imprint::pipeline
