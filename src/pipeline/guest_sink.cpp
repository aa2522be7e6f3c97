#include "guest_sink.hpp"

#include <fmt/format.h>

#include "carried_certificate.hpp"
#include "guest_edit.hpp"
#include "image_sink.hpp"
#include "imprint/files/image.hpp"
#include "imprint/guestfs/appliance.hpp"
#include "imprint/image/bmap.hpp"
#include "imprint/image/clone.hpp"

namespace imprint::pipeline {

Result<> GuestSink::clone_base(Device& device) const {
  NewFile image = IMPRINT_TRY(new_image(plan_.manifest.output.directory, device));
  IMPRINT_TRY(image::clone(plan_.base->file(), image.file(), plan_.summary.reflink));
  device.image.emplace(std::move(image));
  return {};
}

/// Each image differs from the next in more than its own bytes, so each is read whole.
Result<> GuestSink::write_bmap(Device& device) const {
  const auto image = IMPRINT_TRY(image::FileImage::open(device.image->temporary_path()));
  const auto content = IMPRINT_TRY(image::content_ranges(*plan_.base));
  const auto bmap = IMPRINT_TRY(image::BmapTemplate::build(image, {}, content));
  const std::string xml = IMPRINT_TRY(bmap->finish({}));
  NewFile file = IMPRINT_TRY(new_bmap(plan_.manifest.output.directory, device, xml));
  IMPRINT_TRY(file.file().sync());
  device.bmap.emplace(std::move(file));
  return {};
}

Result<> GuestSink::edit(guestfs::Appliance& appliance, std::size_t drive, Device& device) const {
  IMPRINT_TRY(edit_drive(appliance, drive, plan_.layout, plan_.wanted_conf(), *plan_.guest_recipe,
                         device.contents()));
  IMPRINT_TRY(device.image->file().sync());
  return plan_.manifest.output.bmap ? write_bmap(device) : Result<>();
}

Result<> GuestSink::place(Device& device) {
  Device* devices[] = {&device};
  place_group(devices);
  return device.error ? fail(*device.error) : Result<>();
}

void GuestSink::place_group(std::span<Device*> devices) {
  std::vector<Device*> cloned;
  std::vector<guestfs::Drive> drives;
  for (Device* device : devices) {
    if (Result<> made = clone_base(*device); !made) {
      device->error = std::move(made).error();
      continue;
    }
    cloned.push_back(device);
    drives.push_back({.image = device->image->temporary_path(), .read_only = false});
  }
  if (cloned.empty()) return;

  const std::lock_guard lock(one_appliance_);
  const auto appliance = guestfs::Appliance::start(drives, appliance_options(plan_.engine));
  for (std::size_t i = 0; i < cloned.size(); ++i) {
    Device& device = *cloned[i];
    Result<> edited = appliance ? edit(**appliance, i, device) : Result<>(fail(appliance.error()));
    if (edited) continue;
    device.error = std::move(edited).error();
    device.image.reset();
    device.bmap.reset();
  }
}

Result<> GuestSink::publish(std::span<Device*> devices) {
  return publish_images(plan_.manifest.output.directory, devices);
}

Result<bool> GuestSink::carries(std::string_view /*id*/, std::string_view name,
                                const crypto::Sha256Digest& certificate) {
  const fs::path path = plan_.manifest.output.directory / name;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return false;
  const files::ViewOptions options{.engine = plan_.engine.engine,
                                   .appliance = appliance_options(plan_.engine),
                                   .layout = plan_.manifest.layout,
                                   .partition = {}};
  const auto view = files::ImageView::open(path, options, {});
  if (!view) return false;
  return carries_certificate((*view)->roots(), plan_.device_files, certificate);
}

}  // namespace imprint::pipeline
