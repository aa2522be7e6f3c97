#include "imprint/image/canvas.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::image {
namespace {

/// Equal bytes between two differences that are cheaper to write again than to describe as a gap.
constexpr std::uint64_t kJoinBytes = 16;

/// Adds what differs between `ours` and `theirs` (the same stretch of the image, at `offset`).
void add_differences(std::uint64_t offset, ByteView ours, ByteView theirs, Patch& patch) {
  if (std::memcmp(ours.data(), theirs.data(), ours.size()) == 0) return;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i] == theirs[i]) continue;
    const std::uint64_t at = offset + i;
    Write* last = patch.writes.empty() ? nullptr : &patch.writes.back();
    const std::uint64_t end = last == nullptr ? 0 : last->offset + last->bytes.size();
    // The gap must lie in this stretch, or its bytes would not be at hand; neighbours always join.
    if (last != nullptr && end >= offset && at - end < kJoinBytes) {
      const ByteView with_gap = ours.subspan(static_cast<std::size_t>(end - offset),
                                             static_cast<std::size_t>(at - end) + 1);
      last->bytes.insert(last->bytes.end(), with_gap.begin(), with_gap.end());
    } else {
      patch.writes.push_back(Write{at, {ours[i]}});
    }
  }
}

[[nodiscard]] Error beyond_end(const ImageReader& image, std::uint64_t offset, std::size_t size) {
  return {Code::corrupt,
          fmt::format("{} has {} bytes; {} bytes at {} lie beyond its end",
                      quoted(image.path().native()), image.size_bytes(), size, offset)};
}

}  // namespace

std::size_t Canvas::chunk_size(std::uint64_t index) const noexcept {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(kChunkBytes, size_bytes() - index * kChunkBytes));
}

bool Canvas::contains(std::uint64_t offset, std::size_t size) const noexcept {
  return offset <= size_bytes() && size <= size_bytes() - offset;
}

Result<> Canvas::read(std::uint64_t offset, MutableBytes into) const {
  if (!contains(offset, into.size())) return fail(beyond_end(*this, offset, into.size()));
  while (!into.empty()) {
    const auto chunk = chunks_.lower_bound(offset / kChunkBytes);
    const std::uint64_t chunk_start =
        chunk == chunks_.end() ? size_bytes() : chunk->first * kChunkBytes;
    std::size_t done = 0;
    if (chunk_start > offset) {
      done = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), chunk_start - offset));
      IMPRINT_TRY(base_.read(offset, into.first(done)));
    } else {
      const ByteView rest = ByteView(chunk->second).subspan(offset - chunk_start);
      done = std::min(into.size(), rest.size());
      std::memcpy(into.data(), rest.data(), done);
    }
    offset += done;
    into = into.subspan(done);
  }
  return {};
}

Result<> Canvas::write(std::uint64_t offset, ByteView bytes) {
  if (!contains(offset, bytes.size())) return fail(beyond_end(*this, offset, bytes.size()));
  while (!bytes.empty()) {
    const std::uint64_t index = offset / kChunkBytes;
    const auto within = static_cast<std::size_t>(offset % kChunkBytes);
    auto chunk = chunks_.find(index);
    if (chunk == chunks_.end()) {
      crypto::WipedBytes content(chunk_size(index));
      const bool whole = within == 0 && bytes.size() >= content.size();
      if (!whole) IMPRINT_TRY(base_.read(index * kChunkBytes, content));
      chunk = chunks_.emplace(index, std::move(content)).first;
    }
    const std::size_t done = std::min(bytes.size(), chunk->second.size() - within);
    std::memcpy(chunk->second.data() + within, bytes.data(), done);
    offset += done;
    bytes = bytes.subspan(done);
  }
  return {};
}

Result<Patch> Canvas::patch() const {
  Patch patch;
  crypto::WipedBytes before;
  for (const auto& [index, content] : chunks_) {
    before.resize(content.size());
    IMPRINT_TRY(base_.read(index * kChunkBytes, before));
    add_differences(index * kChunkBytes, content, before, patch);
  }
  return patch;
}

Result<Patch> Canvas::patch_from(const Canvas& other) const {
  if (&other.base_ != &base_) {
    return fail(Code::internal, "canvases over different images cannot be compared");
  }
  Patch patch;
  crypto::WipedBytes ours;
  crypto::WipedBytes theirs;
  auto mine = chunks_.begin();
  auto its = other.chunks_.begin();
  while (mine != chunks_.end() || its != other.chunks_.end()) {
    const bool from_mine =
        its == other.chunks_.end() || (mine != chunks_.end() && mine->first <= its->first);
    const std::uint64_t index = from_mine ? mine->first : its->first;
    ours.resize(chunk_size(index));
    theirs.resize(ours.size());
    IMPRINT_TRY(read(index * kChunkBytes, ours));
    IMPRINT_TRY(other.read(index * kChunkBytes, theirs));
    add_differences(index * kChunkBytes, ours, theirs, patch);
    if (mine != chunks_.end() && mine->first == index) ++mine;
    if (its != other.chunks_.end() && its->first == index) ++its;
  }
  return patch;
}

}  // namespace imprint::image
