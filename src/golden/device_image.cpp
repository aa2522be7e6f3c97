#include "imprint/golden/device_image.hpp"

#include <algorithm>

namespace imprint::golden {
namespace {

/// Copies the part of `from` (which stands at `from_offset` of the image) that lies in `into`.
void lay_over(std::uint64_t from_offset, ByteView from, std::uint64_t offset, MutableBytes into) {
  const std::uint64_t begin = std::max(from_offset, offset);
  const std::uint64_t end = std::min(from_offset + from.size(), offset + into.size());
  if (begin >= end) return;
  const auto part = from.subspan(static_cast<std::size_t>(begin - from_offset),
                                 static_cast<std::size_t>(end - begin));
  std::ranges::copy(part, into.begin() + static_cast<std::ptrdiff_t>(begin - offset));
}

}  // namespace

Result<> DeviceImage::read(std::uint64_t offset, MutableBytes into) const {
  IMPRINT_TRY(base_.read(offset, into));
  const auto ends_before = [offset](const image::Write& write) {
    return write.offset + write.bytes.size() <= offset;
  };
  const auto& writes = patch_.writes;
  for (auto write = std::partition_point(writes.begin(), writes.end(), ends_before);
       write != writes.end() && write->offset < offset + into.size(); ++write) {
    lay_over(write->offset, write->bytes, offset, into);
  }
  for (const Overlay::Piece& piece : overlay_.pieces()) {
    lay_over(piece.offset, overlay_.bytes_of(piece), offset, into);
  }
  return {};
}

}  // namespace imprint::golden
