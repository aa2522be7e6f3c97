#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "imprint/golden/golden.hpp"
#include "imprint/image/bmap.hpp"
#include "sink.hpp"

namespace imprint::pipeline {

/// The device's image beside its final name, 0600 and empty; Code::exists when there is one of that
/// name already.
[[nodiscard]] Result<NewFile> new_image(const fs::path& directory, const Device& device);
/// Its block map, beside its final name.
[[nodiscard]] Result<NewFile> new_bmap(const fs::path& directory, const Device& device,
                                       const std::string& xml);
/// Gives images and block maps, synced before, their names. A failure of one device is put into it.
Result<> publish_images(const fs::path& directory, std::span<Device*> devices);

/// What the image sink needs of a plan. The referenced objects outlive the sink.
struct ImageSinkPlan {
  fs::path directory;
  fs::path golden_file;
  const image::FileImage& base;
  const golden::Golden& golden;
  const image::Layout& layout;
  std::span<const golden::DeviceFile> device_files;
  bool reflink = false;
  bool bmap = false;
};

/// One image file per device: clone of the golden image, overlay, sync, check by another path,
/// block map, rename.
class ImageSink final : public Sink {
 public:
  static Result<std::unique_ptr<ImageSink>> open(ImageSinkPlan plan);

  Result<> place(Device& device) override;
  Result<> publish(std::span<Device*> devices) override;
  Result<bool> carries(std::string_view id, std::string_view name,
                       const crypto::Sha256Digest& certificate) override;

 private:
  ImageSink(ImageSinkPlan plan, image::FileImage golden_image)
      : plan_(std::move(plan)),
        golden_image_(std::move(golden_image)) {}

  Result<> write_bmap(Device& device, std::span<const ByteView> contents);
  /// Devices whose overlay has other ranges (a variant) need a template of their own: made once,
  /// kept.
  Result<std::shared_ptr<const image::BmapTemplate>> bmap_template(
      std::span<const ByteView> contents);

  ImageSinkPlan plan_;
  image::FileImage golden_image_;
  std::mutex bmap_mutex_;
  std::map<std::vector<std::pair<std::uint64_t, std::uint64_t>>,
           std::shared_ptr<const image::BmapTemplate>>
      bmap_templates_;
};

}  // namespace imprint::pipeline
