#include "overlay_sink.hpp"

#include "carried_certificate.hpp"
#include "overlay_image.hpp"

namespace imprint::pipeline {

Result<std::unique_ptr<OverlaySink>> OverlaySink::open(const fs::path& store,
                                                       const golden::StoreHeader& header,
                                                       OverlaySinkPlan plan) {
  auto opened = IMPRINT_TRY(golden::OverlayStore::open_or_create(store, header));
  return std::unique_ptr<OverlaySink>(new OverlaySink(std::move(opened), plan));
}

Result<> OverlaySink::place(Device& device) {
  device.overlay.serialize(device.serialized);
  return {};
}

Result<> OverlaySink::publish(std::span<Device*> devices) {
  items_.clear();
  for (const Device* device : devices)
    items_.push_back({device->id, device->name, device->serialized.view()});
  return store_.put(items_);
}

Result<bool> OverlaySink::carries(std::string_view id, std::string_view /*name*/,
                                  const crypto::Sha256Digest& certificate) {
  const auto entry = store_.get(id);
  if (!entry)
    return entry.error().code == Code::not_found ? Result<bool>(false)
                                                 : Result<bool>(fail(entry.error()));
  golden::Overlay overlay;
  if (!overlay.parse(entry->serialized.view())) return false;
  const auto device_image = overlaid(plan_.base, plan_.golden.patch(), overlay);
  if (!device_image) return fail(device_image.error());
  return carries_certificate(*device_image, plan_.layout, plan_.device_files, certificate);
}

}  // namespace imprint::pipeline
