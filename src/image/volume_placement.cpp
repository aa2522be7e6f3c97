// Where a file lies in the image, and its inode for any content that fills the same blocks.
//
// An overlay changes a placeholder's content and therefore its size, and with metadata_csum the
// inode carries a CRC-32C over (file system seed, inode number, generation, inode with the checksum
// fields zero). All of that but the inode itself is constant, so the state after it is kept as
// `checksum_seed` and a device costs one CRC over 256 bytes: no file system handle, no reading.

#include <algorithm>
#include <array>
#include <cassert>

#include <fmt/format.h>

#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {
namespace {

// Byte offsets in the on-disk inode (struct ext4_inode); every number is little endian.
constexpr std::size_t kSizeLow = 4;
constexpr std::size_t kGeneration = 100;
constexpr std::size_t kSizeHigh = 108;
constexpr std::size_t kChecksumLow = 124;
constexpr std::size_t kExtraSize = 128;
constexpr std::size_t kChecksumHigh = 130;
/// The high half of the checksum is there when the extra fields reach beyond it.
constexpr unsigned kExtraSizeWithChecksum = 4;

void put(MutableBytes inode, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i)
    inode[at + i] = static_cast<std::byte>(value >> (8 * i));
}

[[nodiscard]] unsigned get16(ByteView inode, std::size_t at) {
  return std::to_integer<unsigned>(inode[at]) | (std::to_integer<unsigned>(inode[at + 1]) << 8);
}

[[nodiscard]] std::uint32_t crc32c(std::uint32_t state, ByteView bytes) {
  return ext2fs_crc32c_le(state, reinterpret_cast<const unsigned char*>(bytes.data()),
                          bytes.size());
}

}  // namespace

std::uint64_t Volume::Impl::image_offset_of_inode(InodeNumber number) const noexcept {
  const ext2_super_block& super = *fs->super;
  const std::uint32_t index = number - 1;
  const dgrp_t group = index / super.s_inodes_per_group;
  return image_offset_of(ext2fs_inode_table_loc(fs, group)) +
         static_cast<std::uint64_t>(index % super.s_inodes_per_group) * EXT2_INODE_SIZE(&super);
}

std::uint64_t Placement::capacity_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const Extent& extent : extents)
    sum += extent.length_bytes;
  return sum;
}

void Placement::inode_for_size(std::uint64_t size_bytes, MutableBytes into) const {
  assert(into.size() == inode.size());
  std::copy(inode.begin(), inode.end(), into.begin());
  put(into, kSizeLow, 4, size_bytes);
  put(into, kSizeHigh, 4, size_bytes >> 32);
  if (!has_checksum) return;

  const bool has_high =
      into.size() > kExtraSize && get16(into, kExtraSize) >= kExtraSizeWithChecksum;
  put(into, kChecksumLow, 2, 0);
  if (has_high) put(into, kChecksumHigh, 2, 0);
  const std::uint32_t checksum = crc32c(checksum_seed, into);
  put(into, kChecksumLow, 2, checksum);
  if (has_high) put(into, kChecksumHigh, 2, checksum >> 16);
}

Result<Placement> Volume::placement(InodeNumber inode) const {
  Impl& impl = *impl_;
  FullInode full = IMPRINT_TRY(impl.read_inode(inode));
  if (type_of(full.base()) != NodeType::file || size_of(full.base()) == 0) {
    return impl.refuse(Code::invalid_input,
                       fmt::format("inode {} is no regular file with content", inode));
  }

  Placement placement;
  std::uint64_t expected = 0;
  const std::vector<BlockRun> runs = IMPRINT_TRY(impl.map_blocks(inode, full.base()));
  for (const BlockRun& run : runs) {
    if (run.logical != expected || run.unwritten) break;
    expected += run.blocks;
    placement.extents.push_back(
        Extent{impl.image_offset_of(run.physical), run.blocks * impl.fs->blocksize});
  }
  const std::uint64_t needed = (size_of(full.base()) + impl.fs->blocksize - 1) / impl.fs->blocksize;
  if (expected != needed) {
    return impl.refuse(
        Code::invalid_input,
        fmt::format("the file in inode {} has holes; it cannot be a placeholder", inode));
  }

  // The library writes inodes through, so the image already has the final bytes.
  placement.inode_offset = impl.image_offset_of_inode(inode);
  placement.inode.resize(static_cast<std::size_t>(full.size()));
  IMPRINT_TRY(impl.image.read(placement.inode_offset, placement.inode).context(impl.described()));

  placement.has_checksum = ext2fs_has_feature_metadata_csum(impl.fs->super) != 0;
  std::array<std::byte, 4> number{};
  put(number, 0, number.size(), inode);
  placement.checksum_seed = crc32c(impl.fs->csum_seed, number);
  placement.checksum_seed =
      crc32c(placement.checksum_seed, ByteView(placement.inode).subspan(kGeneration, 4));

  // Our arithmetic must reproduce what the library wrote, or no device may rely on it.
  Bytes again(placement.inode.size());
  placement.inode_for_size(size_of(full.base()), again);
  if (again != placement.inode) {
    return impl.refuse(Code::internal,
                       fmt::format("the checksum of inode {} cannot be reproduced", inode));
  }
  placement.inode_for_size(placement.capacity_bytes(), again);
  placement.inode = std::move(again);
  return placement;
}

}  // namespace imprint::image
