#include "worker.hpp"

#include "identity_data.hpp"

namespace imprint::pipeline {

namespace {

/// Every overlay is decoded and compared (a few microseconds); the first of each worker and one in
/// this many is also applied and read by path through libext2fs (about a millisecond), so that the
/// decoder is not trusted on its word either.
constexpr std::uint64_t kThoroughCheckEvery = 1000;

}  // namespace

Result<Worker> Worker::create(const BatchPlan::Impl& plan) {
  auto minter = IMPRINT_TRY(crypto::Minter::create(plan.profile, plan.authority->certificate(),
                                                   plan.authority->signer()));
  return Worker(plan, std::move(minter));
}

Result<> Worker::expand(Device& device) const {
  const manifest::DevicePlan& templates = plan_->device_plan;
  const manifest::DeviceTable& table = plan_->devices;
  device.id = table.id(device.row);
  device.name.clear();
  IMPRINT_TRY(templates.output_name.expand(table, device.row, device.name));
  device.slots.resize(templates.slots.size());
  for (std::size_t i = 0; i < templates.slots.size(); ++i) {
    device.slots[i].clear();
    IMPRINT_TRY(templates.slots[i].expand(table, device.row, device.slots[i]));
  }
  device.texts.resize(templates.texts.size());
  for (std::size_t i = 0; i < templates.texts.size(); ++i) {
    device.texts[i].clear();
    IMPRINT_TRY(templates.texts[i].content.expand(table, device.row, device.texts[i]));
  }
  return expand_identity_data(templates, table, device.row, device.identity_data);
}

Result<> Worker::make(Device& device) {
  IMPRINT_TRY(expand(device));
  slots_.assign(device.slots.begin(), device.slots.end());
  plan_->profile->subject_text(slots_, device.subject);
  IMPRINT_TRY(minter_.mint(slots_, device.identity));

  // Where an appliance writes there is no overlay: the sink has the contents written by path.
  if (!plan_->golden) return {};
  const std::vector<ByteView> contents = device.contents();
  IMPRINT_TRY(plan_->golden->make_overlay(contents, device.overlay));
  IMPRINT_TRY(plan_->golden->check_overlay(contents, device.overlay));
  if (made_++ % kThoroughCheckEvery == 0)
    IMPRINT_TRY(plan_->golden->check_overlay_by_path(contents, device.overlay));
  return {};
}

}  // namespace imprint::pipeline
