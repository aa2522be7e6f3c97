// File systems that a program could write to, but whose device would not accept it.
//
// dm-verity reads a partition through a tree of hashes. The tree lies in a partition of its own
// (libblkid: DM_verity_hash), or behind the file system in the same partition, where
// `veritysetup --hash-offset` and Yocto's dm-verity-img class put it. Either way a superblock is at
// its head, which says how many blocks are protected; a tree without one
// (`veritysetup --no-superblock`) cannot be seen. A hash partition belongs to the file system that
// it covers: one that is no longer than the protected blocks, in a partition that is no shorter.
//
// An ext4 file system with the feature `read-only` (tune2fs -O read-only) or `shared_blocks`
// (Android's deduplication) is mounted read-only for good: with shared blocks a change of one file
// would be one of others.

#include "seal.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "little_endian.hpp"

namespace imprint::image {
namespace {

struct VeritySuperblock {
  std::uint64_t protected_bytes = 0;
};

/// cryptsetup's lib/verity/verity.c, struct verity_sb: little endian, 512 bytes.
Result<std::optional<VeritySuperblock>> read_verity(const ImageReader& image, std::uint64_t offset,
                                                    std::uint64_t end) {
  using std::string_view_literals::operator""sv;
  constexpr std::size_t kHeadBytes = 80;
  if (end < kHeadBytes || offset > end - kHeadBytes) return std::optional<VeritySuperblock>();
  std::array<std::byte, kHeadBytes> head{};
  IMPRINT_TRY(image.read(offset, head));
  ByteCursor cursor(head);
  if (text_of(cursor.bytes(8)) != "verity\0\0"sv) return std::optional<VeritySuperblock>();
  cursor.bytes(8 + 16 + 32);  // version, kind of hash; UUID; algorithm
  const std::uint64_t data_block_bytes = cursor.number(4);
  cursor.bytes(4);  // size of hash blocks
  const std::uint64_t data_blocks = cursor.number(8);
  return std::optional(VeritySuperblock{data_blocks * data_block_bytes});
}

struct FileSystemEnd {
  std::uint64_t bytes = 0;  ///< 0: not known
  std::string_view read_only_feature;
};

Result<FileSystemEnd> look_at_ext(const ImageReader& image, const Partition& partition) {
  constexpr std::uint64_t kSuperblockOffset = 1024;
  constexpr std::uint64_t kReadOnly = 0x1000;
  constexpr std::uint64_t kSharedBlocks = 0x4000;
  constexpr std::uint64_t k64Bit = 0x80;
  std::array<std::byte, 1024> super{};
  FileSystemEnd found;
  if (partition.size_bytes < kSuperblockOffset + super.size()) return found;
  IMPRINT_TRY(image.read(partition.offset_bytes + kSuperblockOffset, super));
  const auto field = [&super](std::size_t at) {
    return ByteCursor(ByteView(super).subspan(at)).number(4);
  };
  const std::uint64_t features = field(100);
  if ((features & kReadOnly) != 0) found.read_only_feature = "read-only";
  if ((features & kSharedBlocks) != 0) found.read_only_feature = "shared_blocks";
  const std::uint64_t high = (field(96) & k64Bit) != 0 ? field(0x150) : 0;
  const std::uint64_t log_block_bytes = field(24);
  if (log_block_bytes <= 6) found.bytes = (high << 32 | field(4)) << (10 + log_block_bytes);
  return found;
}

Result<FileSystemEnd> look_at_squashfs(const ImageReader& image, const Partition& partition) {
  constexpr std::uint64_t kBytesUsedOffset = 40;
  std::array<std::byte, 8> bytes_used{};
  FileSystemEnd found;
  if (partition.size_bytes < kBytesUsedOffset + bytes_used.size()) return found;
  IMPRINT_TRY(image.read(partition.offset_bytes + kBytesUsedOffset, bytes_used));
  found.bytes = ByteCursor(bytes_used).number(8);
  return found;
}

Result<FileSystemEnd> look_at(const ImageReader& image, const Partition& partition) {
  if (partition.file_system.starts_with("ext")) return look_at_ext(image, partition);
  if (partition.file_system == "squashfs") return look_at_squashfs(image, partition);
  return FileSystemEnd{};
}

/// Whether a tree follows the file system in its partition: at its end, or at the next multiple of
/// what such tools align to.
Result<bool> has_tree_behind(const ImageReader& image, const Partition& partition,
                             std::uint64_t end) {
  if (end == 0 || end >= partition.size_bytes) return false;
  std::uint64_t last = 0;
  for (const std::uint64_t alignment : {1U, 512U, 1024U, 4096U, 65536U, 1U << 20}) {
    const std::uint64_t at = (end + alignment - 1) / alignment * alignment;
    if (at == last) continue;
    last = at;
    const auto tree = IMPRINT_TRY(read_verity(image, partition.offset_bytes + at,
                                              partition.offset_bytes + partition.size_bytes));
    if (tree) return true;
  }
  return false;
}

struct HashPartition {
  int number = 0;
  std::uint64_t protected_bytes = 0;
};

Result<std::vector<HashPartition>> hash_partitions(const ImageReader& image,
                                                   const std::vector<Partition>& partitions) {
  std::vector<HashPartition> found;
  for (const Partition& partition : partitions) {
    if (partition.file_system != "DM_verity_hash") continue;
    const auto tree = IMPRINT_TRY(
        read_verity(image, partition.offset_bytes, partition.offset_bytes + partition.size_bytes));
    if (tree) found.push_back({partition.number, tree->protected_bytes});
  }
  return found;
}

/// Each tree has one file system: of those that fit, the nearest before it that no other tree has,
/// else the first.
[[nodiscard]] Partition* covered_by(const HashPartition& tree, std::vector<Partition>& partitions,
                                    const std::vector<std::uint64_t>& ends) {
  Partition* best = nullptr;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    Partition& partition = partitions[i];
    const bool fits = ends[i] != 0 && partition.sealed.empty() && tree.protected_bytes >= ends[i] &&
                      tree.protected_bytes <= partition.size_bytes;
    if (fits && (best == nullptr || partition.number < tree.number)) best = &partition;
  }
  return best;
}

}  // namespace

Result<> find_seals(const ImageReader& image, std::vector<Partition>& partitions) {
  std::vector<std::uint64_t> ends;
  for (Partition& partition : partitions) {
    const FileSystemEnd end = IMPRINT_TRY(look_at(image, partition));
    ends.push_back(end.bytes);
    if (IMPRINT_TRY(has_tree_behind(image, partition, end.bytes)))
      partition.sealed = "is protected by dm-verity";
    if (!end.read_only_feature.empty())
      partition.sealed = fmt::format("has the ext4 feature '{}'", end.read_only_feature);
  }
  const auto trees = IMPRINT_TRY(hash_partitions(image, partitions));
  for (const HashPartition& tree : trees) {
    Partition* covered = covered_by(tree, partitions, ends);
    if (covered != nullptr)
      covered->sealed = fmt::format("is protected by dm-verity (partition {})", tree.number);
  }
  return {};
}

}  // namespace imprint::image
