#include "collected.hpp"

#include <algorithm>
#include <cstring>

namespace imprint::files {

void CollectedContent::add(std::uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return;
  pieces_.emplace(offset, crypto::WipedBytes(bytes.begin(), bytes.end()));
  size_ = std::max(size_, offset + bytes.size());
}

Result<std::vector<image::DataRange>> CollectedContent::data_ranges() const {
  std::vector<image::DataRange> ranges;
  for (const auto& [offset, bytes] : pieces_) {
    const std::uint64_t end =
        ranges.empty() ? 0 : ranges.back().offset + ranges.back().length_bytes;
    if (!ranges.empty() && end == offset) {
      ranges.back().length_bytes += bytes.size();
    } else {
      ranges.push_back({offset, bytes.size()});
    }
  }
  return ranges;
}

Result<> CollectedContent::read(std::uint64_t offset, MutableBytes into) const {
  if (offset > size_ || into.size() > size_ - offset) {
    return fail(Code::internal, "a read beyond the end of a content");
  }
  std::memset(into.data(), 0, into.size());
  const std::uint64_t end = offset + into.size();
  auto piece = pieces_.upper_bound(offset);
  if (piece != pieces_.begin()) --piece;
  for (; piece != pieces_.end() && piece->first < end; ++piece) {
    const std::uint64_t from = std::max(offset, piece->first);
    const std::uint64_t to = std::min(end, piece->first + piece->second.size());
    if (from >= to) continue;
    std::memcpy(into.data() + (from - offset), piece->second.data() + (from - piece->first),
                static_cast<std::size_t>(to - from));
  }
  return {};
}

}  // namespace imprint::files
