// A second reader of ext2/3/4 inodes, written from the format and not from the writer.
//
// Overlays are bytes that no file system library has written for this very device: size, checksum
// and content are put into a template. A mistake there would be the same in every image of a batch.
// So each overlay is decoded again by code that shares nothing with the one that made it (no
// template, no libext2fs, its own checksum), cheap enough to be done for every device: a few
// microseconds.
//
// Format: https://docs.kernel.org/filesystems/ext4/ ("Index Nodes", "The Contents of
// inode.i_block", "Checksums"). All numbers are little endian.
#include "inode_decoder.hpp"

#include <array>

#include <fmt/format.h>

namespace imprint::golden {
namespace {

template <class Number>
Number get(ByteView bytes, std::size_t offset) {
  Number value = 0;
  for (std::size_t i = sizeof(Number); i-- > 0;) {
    value = static_cast<Number>((value << 8) | std::to_integer<Number>(bytes[offset + i]));
  }
  return value;
}

std::uint16_t get16(ByteView bytes, std::size_t offset) {
  return get<std::uint16_t>(bytes, offset);
}

std::uint32_t get32(ByteView bytes, std::size_t offset) {
  return get<std::uint32_t>(bytes, offset);
}

/// CRC-32C (Castagnoli), reflected, a byte at a time: 256 bytes take half a microsecond.
constexpr std::array<std::uint32_t, 256> crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    table[byte] = crc;
  }
  return table;
}

std::uint32_t crc32c(std::uint32_t crc, ByteView bytes) {
  static constexpr auto kTable = crc32c_table();
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ kTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  }
  return crc;
}

Unexpected wrong(std::string what) {
  return fail(Code::check_failed, std::move(what));
}

/// Collects the blocks of a file in order.
class BlockMap {
 public:
  BlockMap(const FileSystemFacts& facts, const image::ImageReader& image, std::uint64_t blocks)
      : facts_(facts),
        image_(image),
        wanted_(blocks) {}

  Result<> walk_extents(ByteView node, unsigned depth_above);
  Result<> walk_list(ByteView numbers, unsigned levels);

  [[nodiscard]] std::uint64_t found() const noexcept { return found_; }

  [[nodiscard]] std::vector<image::Extent> take() { return std::move(runs_); }

 private:
  void add(std::uint64_t block, std::uint64_t count);
  Result<Bytes> read(std::uint64_t block) const;

  const FileSystemFacts& facts_;
  const image::ImageReader& image_;
  std::uint64_t wanted_;
  std::uint64_t found_ = 0;
  std::vector<image::Extent> runs_;
};

void BlockMap::add(std::uint64_t block, std::uint64_t count) {
  const std::uint64_t offset = facts_.offset_bytes + block * facts_.block_bytes;
  const std::uint64_t length = count * facts_.block_bytes;
  found_ += count;
  if (!runs_.empty() && runs_.back().image_offset + runs_.back().length_bytes == offset) {
    runs_.back().length_bytes += length;
  } else {
    runs_.push_back({.image_offset = offset, .length_bytes = length});
  }
}

Result<Bytes> BlockMap::read(std::uint64_t block) const {
  Bytes bytes(facts_.block_bytes);
  IMPRINT_TRY(image_.read(facts_.offset_bytes + block * facts_.block_bytes, bytes));
  return bytes;
}

/// A node of the extent tree: a header of 12 bytes, then entries of 12 bytes.
Result<> BlockMap::walk_extents(ByteView node, unsigned depth_above) {
  constexpr std::size_t kEntryBytes = 12;
  constexpr unsigned kDeepest = 5;
  constexpr unsigned kLongestWritten = 32768;  // longer: allocated, but reads as zeros

  const unsigned entries = get16(node, 2);
  const unsigned depth = get16(node, 6);
  if (get16(node, 0) != 0xF30A || entries > get16(node, 4) ||
      (entries + 1) * kEntryBytes > node.size() || depth > kDeepest || depth >= depth_above) {
    return wrong("its extent tree is damaged");
  }
  for (unsigned i = 1; i <= entries; ++i) {
    const ByteView entry = node.subspan(i * kEntryBytes, kEntryBytes);
    if (get32(entry, 0) != found_) return wrong("its extent tree has a hole");
    if (depth > 0) {
      const std::uint64_t child =
          get32(entry, 4) | (static_cast<std::uint64_t>(get16(entry, 8)) << 32);
      const Bytes below = IMPRINT_TRY(read(child));
      IMPRINT_TRY(walk_extents(below, depth));
      continue;
    }
    const unsigned length = get16(entry, 4);
    if (length == 0 || length > kLongestWritten) return wrong("an extent is not written");
    add(get32(entry, 8) | (static_cast<std::uint64_t>(get16(entry, 6)) << 32), length);
  }
  return {};
}

/// Block numbers of ext2 and ext3; `levels` of indirection above the data.
Result<> BlockMap::walk_list(ByteView numbers, unsigned levels) {
  for (std::size_t i = 0; i < numbers.size() && found_ < wanted_; i += 4) {
    const std::uint32_t block = get32(numbers, i);
    if (block == 0) return wrong("its block list has a hole");
    if (levels == 0) {
      add(block, 1);
    } else {
      const Bytes below = IMPRINT_TRY(read(block));
      IMPRINT_TRY(walk_list(below, levels - 1));
    }
  }
  return {};
}

Result<> check_checksum(ByteView inode, image::InodeNumber number, const FileSystemFacts& facts) {
  if (!facts.has_checksums) return {};
  const std::array<std::byte, 2> zeros{};
  std::array<std::byte, 4> number_bytes{};
  for (std::size_t i = 0; i < 4; ++i)
    number_bytes[i] = static_cast<std::byte>(number >> (8 * i));

  // Over inode number, generation and the inode, with the two halves of the checksum as zeros.
  const bool has_high = inode.size() > 128 && get16(inode, 128) >= 4;
  std::uint32_t crc = crc32c(facts.checksum_seed, number_bytes);
  crc = crc32c(crc, inode.subspan(100, 4));
  crc = crc32c(crc, inode.first(124));
  crc = crc32c(crc, zeros);
  if (has_high) {
    crc = crc32c(crc, inode.subspan(126, 4));
    crc = crc32c(crc, zeros);
    crc = crc32c(crc, inode.subspan(132));
  } else {
    crc = crc32c(crc, inode.subspan(126));
  }
  const std::uint32_t low = get16(inode, 124);
  const std::uint32_t high = has_high ? get16(inode, 130) : 0U;
  const std::uint32_t expected = has_high ? crc : crc & 0xffff;
  if ((low | (high << 16)) != expected) return wrong("the checksum of its inode is wrong");
  return {};
}

}  // namespace

Result<FileSystemFacts> FileSystemFacts::read(const image::ImageReader& image,
                                              const image::Partition& partition) {
  std::array<std::byte, 1024> super{};
  IMPRINT_TRY(image.read(partition.offset_bytes + 1024, super));
  constexpr std::uint32_t kMetadataChecksums = 0x400;
  constexpr std::uint32_t kStoredSeed = 0x2000;
  if (get16(super, 56) != 0xEF53 || get32(super, 24) > 6) {
    return wrong("its superblock is damaged");
  }
  FileSystemFacts facts{.offset_bytes = partition.offset_bytes,
                        .block_bytes = 1024U << get32(super, 24)};
  facts.has_checksums = (get32(super, 100) & kMetadataChecksums) != 0;
  facts.checksum_seed = (get32(super, 96) & kStoredSeed) != 0
                            ? get32(super, 0x270)
                            : crc32c(~0U, ByteView(super).subspan(104, 16));
  return facts;
}

Result<DecodedInode> decode_inode(ByteView inode, image::InodeNumber number,
                                  const FileSystemFacts& facts, const image::ImageReader& image) {
  constexpr unsigned kTypeMask = 0170000;
  constexpr unsigned kRegularFile = 0100000;
  constexpr std::uint32_t kHasExtents = 0x80000;
  constexpr std::uint32_t kInlineData = 0x10000000;
  if (inode.size() < 128) return wrong("its inode is cut off");
  const unsigned mode = get16(inode, 0);
  if ((mode & kTypeMask) != kRegularFile) return wrong("it is no regular file");
  if (get16(inode, 26) != 1 || get32(inode, 20) != 0) return wrong("it is not linked once");
  IMPRINT_TRY(check_checksum(inode, number, facts));

  DecodedInode decoded{
      .mode = mode & ~kTypeMask,
      .uid = get16(inode, 2) | (static_cast<unsigned>(get16(inode, 120)) << 16),
      .gid = get16(inode, 24) | (static_cast<unsigned>(get16(inode, 122)) << 16),
      .size_bytes = get32(inode, 4) | (static_cast<std::uint64_t>(get32(inode, 108)) << 32),
      .content = {}};
  const std::uint32_t flags = get32(inode, 32);
  if ((flags & kInlineData) != 0) return wrong("its content is inside the inode");
  const std::uint64_t blocks = (decoded.size_bytes + facts.block_bytes - 1) / facts.block_bytes;

  BlockMap map(facts, image, blocks);
  const ByteView i_block = inode.subspan(40, 60);
  if ((flags & kHasExtents) != 0) {
    IMPRINT_TRY(map.walk_extents(i_block, 6));
  } else {
    constexpr std::size_t kDirect = 48;
    IMPRINT_TRY(map.walk_list(i_block.first(kDirect), 0));
    for (unsigned level = 1; level <= 3; ++level) {
      IMPRINT_TRY(map.walk_list(i_block.subspan(kDirect + 4 * (level - 1), 4), level));
    }
  }
  if (map.found() != blocks) {
    return wrong(fmt::format("{} blocks are mapped where its size needs {}", map.found(), blocks));
  }
  decoded.content = map.take();
  return decoded;
}

}  // namespace imprint::golden
