#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// The block map (bmap format 2.0, as bmaptool reads it) of one golden image, ready to be finished
/// for any device: ranges are cut at the 4 KiB blocks that overlays touch, the hashes of all others
/// are computed once. Immutable, shared by all workers.
class BmapTemplate {
 public:
  struct Impl;
  BmapTemplate(const BmapTemplate&) = delete;
  BmapTemplate& operator=(const BmapTemplate&) = delete;
  ~BmapTemplate();

  /// `touched`: byte ranges that overlays may write. They count as mapped even where the golden
  /// image has a hole. So do the ranges of `content`: pass the data_ranges of the base image,
  /// because zeros that were written there and became holes in the copy are content all the same,
  /// and a flasher that skips them leaves what was on the card before. Reads all data of the golden
  /// image once.
  static Result<std::shared_ptr<const BmapTemplate>> build(const FileImage& golden,
                                                           std::span<const DataRange> touched,
                                                           std::span<const DataRange> content = {});

  /// What a device writes over the golden image.
  struct DeviceWrite {
    std::uint64_t offset = 0;
    ByteView bytes;
  };

  /// The XML for the image that `writes` make of the golden image. Code::internal when one lies
  /// outside the touched blocks.
  [[nodiscard]] Result<std::string> finish(std::span<const DeviceWrite> writes) const;

 private:
  explicit BmapTemplate(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace imprint::image
