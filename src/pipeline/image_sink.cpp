#include "image_sink.hpp"

#include <fmt/format.h>

#include "carried_certificate.hpp"
#include "check_files.hpp"
#include "imprint/base/text.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/decompress.hpp"

namespace imprint::pipeline {

namespace {

/// An image holds a private key from the moment its overlay is written: it is nobody else's from
/// birth.
constexpr unsigned kImageMode = 0600;
constexpr unsigned kBmapMode = 0644;

}  // namespace

Result<NewFile> new_image(const fs::path& directory, const Device& device) {
  const fs::path target = directory / device.name;
  std::error_code ignored;
  if (fs::exists(target, ignored)) {
    return fail(
        Code::exists,
        fmt::format(
            "{} exists already and is not in the ledger as this device's image: move it away",
            quoted(target.string())));
  }
  return NewFile::beside(target, kImageMode);
}

Result<NewFile> new_bmap(const fs::path& directory, const Device& device, const std::string& xml) {
  NewFile file = IMPRINT_TRY(NewFile::beside(directory / (device.name + ".bmap"), kBmapMode));
  IMPRINT_TRY(file.file().write_all(0, bytes_of(xml)));
  return file;
}

Result<std::unique_ptr<ImageSink>> ImageSink::open(ImageSinkPlan plan) {
  auto golden_image = IMPRINT_TRY(image::FileImage::open(plan.golden_file));
  return std::unique_ptr<ImageSink>(new ImageSink(std::move(plan), std::move(golden_image)));
}

Result<> ImageSink::place(Device& device) {
  NewFile image = IMPRINT_TRY(new_image(plan_.directory, device));
  IMPRINT_TRY(image::clone(golden_image_.file(), image.file(), plan_.reflink));
  IMPRINT_TRY(device.overlay.apply(image.file()));
  if (!plan_.reflink) IMPRINT_TRY(image.file().sync());

  const std::vector<ByteView> contents = device.contents();
  const auto written = IMPRINT_TRY(image::FileImage::open(image.temporary_path()));
  image::FileSystems file_systems(image::read_natively(written), plan_.layout);
  IMPRINT_TRY(check_device_files(file_systems, plan_.device_files, contents));
  if (plan_.bmap) IMPRINT_TRY(write_bmap(device, contents));
  device.image.emplace(std::move(image));
  return {};
}

Result<> ImageSink::write_bmap(Device& device, std::span<const ByteView> contents) {
  const auto bmap = IMPRINT_TRY(bmap_template(contents));
  std::vector<image::BmapTemplate::DeviceWrite> writes;
  for (const golden::Overlay::Piece& piece : device.overlay.pieces()) {
    writes.push_back({piece.offset, device.overlay.bytes_of(piece)});
  }
  const std::string xml = IMPRINT_TRY(bmap->finish(writes));
  NewFile file = IMPRINT_TRY(new_bmap(plan_.directory, device, xml));
  if (!plan_.reflink) IMPRINT_TRY(file.file().sync());
  device.bmap.emplace(std::move(file));
  return {};
}

Result<std::shared_ptr<const image::BmapTemplate>> ImageSink::bmap_template(
    std::span<const ByteView> contents) {
  const std::vector<image::DataRange> touched = IMPRINT_TRY(plan_.golden.touched_by(contents));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> key;
  for (const image::DataRange& range : touched)
    key.emplace_back(range.offset, range.length_bytes);
  const std::lock_guard lock(bmap_mutex_);
  auto& found = bmap_templates_[key];
  if (!found) {
    const auto content = IMPRINT_TRY(image::content_ranges(plan_.base));
    found = IMPRINT_TRY(image::BmapTemplate::build(golden_image_, touched, content));
  }
  return found;
}

Result<> publish_images(const fs::path& directory, std::span<Device*> devices) {
  for (Device* device : devices) {
    // The block map first: an image under its final name is complete with all that belongs to it.
    Result<> published = device->bmap ? device->bmap->publish_synced() : Result<>();
    if (published) published = device->image->publish_synced();
    if (!published) {
      device->error = std::move(published).error();
      // A block map without its image would be half a device; what cannot be removed is overwritten
      // by the next run.
      if (device->bmap) (void)remove_file(directory / (device->name + ".bmap"));
    }
    device->bmap.reset();
    device->image.reset();
  }
  return sync_directory(directory);
}

Result<> ImageSink::publish(std::span<Device*> devices) {
  if (plan_.reflink) IMPRINT_TRY(sync_file_system(plan_.directory));
  return publish_images(plan_.directory, devices);
}

Result<bool> ImageSink::carries(std::string_view /*id*/, std::string_view name,
                                const crypto::Sha256Digest& certificate) {
  const fs::path path = plan_.directory / name;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return false;
  const auto image = image::FileImage::open(path);
  if (!image || image->size_bytes() != golden_image_.size_bytes()) return false;
  return carries_certificate(*image, plan_.layout, plan_.device_files, certificate);
}

}  // namespace imprint::pipeline
