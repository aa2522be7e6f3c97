#include "variant.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include <fmt/format.h>

#include "imprint/base/text.hpp"

namespace imprint::golden {
namespace {

/// Room for an on-disk inode on the stack. Inodes are 128 or 256 bytes in practice; the format
/// allows a block.
constexpr std::size_t kLargestInode = 4096;

/// What a device file occupies, whatever its content.
std::vector<image::DataRange> ranges_of(std::span<const PlacedCopy> copies) {
  std::vector<image::DataRange> ranges;
  for (const PlacedCopy& copy : copies) {
    ranges.push_back({copy.placement.inode_offset, copy.placement.inode.size()});
    for (const image::Extent& extent : copy.placement.extents) {
      ranges.push_back({extent.image_offset, extent.length_bytes});
    }
  }
  return ranges;
}

/// The parts of `write` outside `holes` (joined).
std::vector<image::Write> cut(const image::Write& write, std::span<const image::DataRange> holes) {
  std::vector<image::Write> parts;
  const std::uint64_t end = write.offset + write.bytes.size();
  const auto keep = [&](std::uint64_t from, std::uint64_t to) {
    if (from >= to) return;
    const ByteView bytes = ByteView(write.bytes)
                               .subspan(static_cast<std::size_t>(from - write.offset),
                                        static_cast<std::size_t>(to - from));
    parts.push_back({.offset = from, .bytes = {bytes.begin(), bytes.end()}});
  };
  std::uint64_t at = write.offset;
  for (const image::DataRange& hole : holes) {
    if (hole.offset + hole.length_bytes <= at) continue;
    if (hole.offset >= end) break;
    keep(at, hole.offset);
    at = hole.offset + hole.length_bytes;
  }
  keep(at, end);
  return parts;
}

}  // namespace

Result<Variant> Variant::make(std::vector<PlacedCopy> copies, std::vector<FileSystemFacts> facts,
                              const image::Patch& from_golden) {
  assert(copies.size() == facts.size());
  Variant variant;
  for (const PlacedCopy& copy : copies) {
    if (copy.placement.inode.size() > kLargestInode) {
      return fail(
          Code::unsupported,
          fmt::format("{}: {}: inodes of {} bytes are larger than the {} bytes that imprint "
                      "handles",
                      copy.label, quoted(copy.path), copy.placement.inode.size(), kLargestInode));
    }
  }
  const auto holes = image::joined(ranges_of(copies));
  for (const image::Write& write : from_golden.writes) {
    for (image::Write& part : cut(write, holes))
      variant.fixed_.push_back(std::move(part));
  }
  // The golden image has zeros where its own placeholders are. A variant's blocks may lie
  // elsewhere, on free blocks with old bytes in them; then the zeros behind a content are part of
  // the overlay.
  const auto content_differs = [&from_golden](const image::Extent& extent) {
    return std::ranges::any_of(from_golden.writes, [&extent](const image::Write& write) {
      return write.offset < extent.image_offset + extent.length_bytes &&
             extent.image_offset < write.offset + write.bytes.size();
    });
  };
  for (const PlacedCopy& copy : copies) {
    if (std::ranges::any_of(copy.placement.extents, content_differs)) variant.pads_ = true;
  }
  auto ranges = ranges_of(copies);
  for (const image::Write& write : variant.fixed_) {
    ranges.push_back({write.offset, write.bytes.size()});
  }
  variant.touched_ = image::joined(std::move(ranges));
  variant.copies_ = std::move(copies);
  variant.facts_ = std::move(facts);
  return variant;
}

bool Variant::fits(std::span<const ByteView> contents) const noexcept {
  return std::ranges::all_of(copies_, [contents](const PlacedCopy& copy) {
    const std::uint64_t size = contents[copy.device_file].size();
    const std::uint64_t capacity = copy.placement.capacity_bytes();
    return size <= capacity && size + copy.block_bytes > capacity;
  });
}

void Variant::make_overlay(std::span<const ByteView> contents, Overlay& into) const {
  into.clear();
  for (const image::Write& write : fixed_)
    into.add(write.offset, write.bytes);
  std::array<std::byte, kLargestInode> room;
  for (const PlacedCopy& copy : copies_) {
    const image::Placement& placement = copy.placement;
    ByteView content = contents[copy.device_file];
    const auto inode = MutableBytes(room).first(placement.inode.size());
    placement.inode_for_size(content.size(), inode);
    into.add(placement.inode_offset, inode);
    for (const image::Extent& extent : placement.extents) {
      const auto length =
          static_cast<std::size_t>(std::min<std::uint64_t>(content.size(), extent.length_bytes));
      into.add(extent.image_offset, content.first(length));
      content = content.subspan(length);
      // Only the last block has room behind the content.
      if (pads_ && length < extent.length_bytes) {
        const Bytes zeros(static_cast<std::size_t>(extent.length_bytes) - length);
        into.add(extent.image_offset + length, zeros);
      }
    }
  }
  into.finish();
}

bool VariantCache::is_for(const Slot& slot, std::span<const ByteView> contents) const noexcept {
  const auto copies = nominal_.copies();
  for (std::size_t i = 0; i < copies.size(); ++i) {
    if (copies[i].blocks_for(contents[copies[i].device_file].size()) != slot.blocks[i])
      return false;
  }
  return true;
}

VariantCache::Slot* VariantCache::find(std::span<const ByteView> contents) const noexcept {
  for (const auto& slot : slots_) {
    if (is_for(*slot, contents)) return slot.get();
  }
  return nullptr;
}

VariantCache::Slot& VariantCache::find_or_add(std::span<const ByteView> contents) {
  {
    const std::shared_lock lock(mutex_);
    if (Slot* slot = find(contents)) return *slot;
  }
  const std::unique_lock lock(mutex_);
  if (Slot* slot = find(contents)) return *slot;
  auto slot = std::make_unique<Slot>();
  for (const PlacedCopy& copy : nominal_.copies()) {
    slot->blocks.push_back(copy.blocks_for(contents[copy.device_file].size()));
  }
  return *slots_.emplace_back(std::move(slot));
}

Result<const Variant*> VariantCache::get(std::span<const ByteView> contents, const Build& build) {
  Slot& slot = find_or_add(contents);
  std::call_once(slot.once, [&] {
    std::vector<std::uint64_t> sizes;
    for (const ByteView content : contents)
      sizes.push_back(content.size());
    slot.variant = build(sizes);
  });
  if (!*slot.variant) return fail(slot.variant->error());
  return &**slot.variant;
}

}  // namespace imprint::golden
