#pragma once

#include "imprint/golden/overlay.hpp"
#include "imprint/image/patch.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::golden {

/// One device's image as it would be, without making it: the base image, the golden patch over it,
/// the overlay over both. All three outlive it.
class DeviceImage final : public image::ImageReader {
 public:
  DeviceImage(const image::ImageReader& base, const image::Patch& patch, const Overlay& overlay)
      : base_(base),
        patch_(patch),
        overlay_(overlay) {}

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return base_.size_bytes(); }

  Result<> read(std::uint64_t offset, MutableBytes into) const override;

  [[nodiscard]] const fs::path& path() const noexcept override { return base_.path(); }

 private:
  const image::ImageReader& base_;
  const image::Patch& patch_;
  const Overlay& overlay_;
};

}  // namespace imprint::golden
