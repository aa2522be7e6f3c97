// The htree of an indexed directory: blocks that say in which other blocks names of which hashes
// are. A name in a wrong block is listed, but not found.

#include <algorithm>

#include <fmt/format.h>

#include "ext2_check.hpp"

namespace imprint::image {
namespace {

constexpr std::size_t kRootInfoAt = 24;  // behind the entries '.' and '..'
constexpr std::size_t kNodeEntriesAt = 8;
constexpr std::uint32_t kEndOfHashes = 0xffff'fffe;

template <class T>
[[nodiscard]] T load(ByteView bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

}  // namespace

IndexCheck::IndexCheck(const CheckState& state, const DirectorySeen& directory)
    : state_(state),
      directory_(directory),
      blocks_(static_cast<std::size_t>(directory.blocks)) {}

Unexpected IndexCheck::bad(std::string what) const {
  return state_.corrupt(fmt::format("the index of the directory in inode {} cannot be right: {}",
                                    directory_.number, what));
}

bool IndexCheck::is_leaf() const noexcept {
  return blocks_[current_].kind == Kind::leaf;
}

Result<> IndexCheck::add_block(std::uint64_t number, ByteView block) {
  current_ = static_cast<std::size_t>(number);
  if (number == 0) return add_root(block);
  const std::size_t tail = state_.has_checksums ? sizeof(ext2_dx_tail) : 0;
  const std::size_t room = (block.size() - kNodeEntriesAt - tail) / sizeof(ext2_dx_entry);
  const auto length = load<std::uint16_t>(block, 4);
  const bool is_whole =
      length == block.size() || (block.size() == 65536 && (length == 0 || length == 65535));
  if (load<std::uint32_t>(block, 0) != 0 || !is_whole || std::to_integer<int>(block[6]) != 0 ||
      load<std::uint16_t>(block, kNodeEntriesAt) != room)
    return {};
  blocks_[current_].kind = Kind::node;
  return add_entries(number, block, kNodeEntriesAt);
}

Result<> IndexCheck::add_root(ByteView block) {
  const auto info = load<ext2_dx_root_info>(block, kRootInfoAt);
  if (info.reserved_zero != 0 || info.info_length < sizeof(info) ||
      kRootInfoAt + info.info_length + sizeof(ext2_dx_entry) > block.size() ||
      info.indirect_levels >= ext2_dir_htree_level(state_.fs) ||
      (info.unused_flags & EXT2_HASH_FLAG_INCOMPAT) != 0) {
    return bad("its root has no right header");
  }
  const bool has_stored_hashes = directory_.encrypted && directory_.casefolded;
  hash_version_ = info.hash_version;
  if ((hash_version_ > EXT2_HASH_TEA && hash_version_ != EXT2_HASH_SIPHASH) ||
      (hash_version_ == EXT2_HASH_SIPHASH) != has_stored_hashes) {
    return bad(fmt::format("nobody knows hash {}", hash_version_));
  }
  if (hash_version_ <= EXT2_HASH_TEA && (state_.super.s_flags & EXT2_FLAGS_UNSIGNED_HASH) != 0)
    hash_version_ += EXT2_HASH_LEGACY_UNSIGNED;
  hashes_names_ = !has_stored_hashes;
  depth_ = info.indirect_levels + 1U;
  Block& root = blocks_[0];
  root.kind = Kind::root;
  root.referenced = root.is_first = root.is_last = true;
  return add_entries(0, block, kRootInfoAt + info.info_length);
}

Result<> IndexCheck::add_entries(std::uint64_t number, ByteView block, std::size_t at) {
  const std::size_t tail = state_.has_checksums ? sizeof(ext2_dx_tail) : 0;
  const std::size_t room = (block.size() - tail - at) / sizeof(ext2_dx_entry);
  const auto limit = load<std::uint16_t>(block, at);
  const auto count = load<std::uint16_t>(block, at + 2);
  if (limit != room || count > limit) return bad("it counts its entries wrongly");
  if (state_.has_checksums) {
    const std::size_t end = at + std::size_t{limit} * sizeof(ext2_dx_entry);
    const auto stored = load<ext2_dx_tail>(block, end);
    std::uint32_t sum = crc32c(directory_.checksum_seed,
                               block.first(at + std::size_t{count} * sizeof(ext2_dx_entry)));
    const std::uint32_t with[] = {stored.dt_reserved, 0};
    sum = crc32c(sum, std::as_bytes(std::span(with)));
    if (sum != stored.dt_checksum) {
      return state_.corrupt(
          fmt::format("block {} of the directory in inode {} does not match its checksum", number,
                      directory_.number));
    }
  }
  std::uint32_t last = 0;
  std::uint32_t previous = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto entry = load<ext2_dx_entry>(block, at + i * sizeof(ext2_dx_entry));
    // The first has no hash: limit and count are in its place.
    const std::uint32_t hash = i == 0 ? 0 : entry.hash & ~1U;
    const std::uint32_t child = entry.block & EXT4_DX_BLOCK_MASK;
    if (child >= blocks_.size())
      return bad(fmt::format("it names block {}, which does not exist", child));
    if (hash < last) return bad("its hashes are out of order");
    Block& named = blocks_[child];
    if (named.referenced) return bad(fmt::format("block {} is named twice", child));
    named.referenced = true;
    named.parent = static_cast<std::uint32_t>(number);
    named.previous = previous;
    named.from = hash;
    named.is_first = i == 0;
    named.is_last = i + 1U == count;
    named.to = named.is_last
                   ? kEndOfHashes
                   : load<ext2_dx_entry>(block, at + (i + 1) * sizeof(ext2_dx_entry)).hash & ~1U;
    last = hash;
    previous = child;
  }
  return {};
}

void IndexCheck::add_name(std::string_view name) {
  if (!hashes_names_) return;
  ext2_dirhash_t hash = 0;
  if (ext2fs_dirhash2(hash_version_, name.data(), static_cast<int>(name.size()),
                      state_.fs->encoding, directory_.casefolded ? EXT4_CASEFOLD_FL : 0,
                      state_.super.s_hash_seed, &hash, nullptr) != 0) {
    hashes_names_ = false;
    return;
  }
  Block& block = blocks_[current_];
  block.lowest = std::min(block.lowest, hash);
  block.highest = std::max(block.highest, hash);
}

unsigned IndexCheck::depth_of(const Block& block) const noexcept {
  unsigned depth = 0;
  for (const Block* at = &block; at->kind != Kind::root && depth <= depth_; ++depth)
    at = &blocks_[at->parent];
  return depth;
}

/// Inner blocks get the hashes of what is below them.
void IndexCheck::pull_up(Kind kind) {
  for (Block& block : blocks_) {
    if (block.kind != kind) continue;
    Block& parent = blocks_[block.parent];
    if (block.is_first) parent.lowest = block.lowest;
    if (block.is_last) parent.highest = block.highest;
  }
}

Result<> IndexCheck::finish() {
  pull_up(Kind::leaf);
  pull_up(Kind::node);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    if (!block.referenced) return bad(fmt::format("it does not know block {}", i));
    if (block.kind == Kind::leaf && depth_of(block) != depth_)
      return bad(fmt::format("block {} is at a wrong depth", i));
    if (!hashes_names_ || block.kind == Kind::root) continue;
    if ((!block.is_first && block.lowest < block.from) || block.highest > block.to)
      return bad(fmt::format("block {} has names that belong into another", i));
  }
  return {};
}

}  // namespace imprint::image
