#include "imprint/handshake/stored_image.hpp"

#include <utility>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/golden/device_image.hpp"
#include "imprint/golden/store.hpp"
#include "imprint/pipeline/materialize.hpp"

namespace imprint::handshake {

/// In the order in which one refers to the other.
struct StoredImage::Impl {
  golden::OverlayStore store;
  image::FileImage base;
  golden::Overlay overlay;
  std::optional<golden::DeviceImage> bytes = std::nullopt;
  std::optional<image::FileSystems> file_systems = std::nullopt;
};

StoredImage::StoredImage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StoredImage::StoredImage(StoredImage&&) noexcept = default;
StoredImage& StoredImage::operator=(StoredImage&&) noexcept = default;
StoredImage::~StoredImage() = default;

Result<StoredImage> StoredImage::open(const StoredDevice& device) {
  auto store = IMPRINT_TRY(golden::OverlayStore::open(device.store));
  const auto entry = IMPRINT_TRY(store.get(device.id));
  golden::Overlay overlay;
  IMPRINT_TRY(overlay.parse(entry.serialized.view()).context("overlay of " + quoted(device.id)));
  auto base = IMPRINT_TRY(
      pipeline::open_store_base(device.store, store.header(), device.base, device.unpacking));
  auto layout = IMPRINT_TRY(image::find_layout(base, device.layout));
  std::unique_ptr<Impl> impl(
      new Impl{.store = std::move(store), .base = std::move(base), .overlay = std::move(overlay)});
  impl->bytes.emplace(impl->base, impl->store.header().golden_patch, impl->overlay);
  impl->file_systems.emplace(image::read_natively(*impl->bytes), std::move(layout));
  return StoredImage(std::move(impl));
}

std::vector<image::FileSystems::Root>& StoredImage::roots() noexcept {
  return impl_->file_systems->roots();
}

}  // namespace imprint::handshake
