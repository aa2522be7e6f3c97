// Extended attributes: in the rest of the inode, in a block of their own (which inodes with the
// same attributes share), with values in inodes of their own (ea_inode).

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "ext2_check.hpp"

namespace imprint::image {
namespace {

constexpr unsigned kSystemIndex = 7;  // of "system.data", which holds content of the file

/// Pieces of an area that may not overlap.
class Area {
 public:
  /// `pieces` is its memory, so that not every inode needs some.
  Area(std::vector<CheckState::Piece>& pieces, std::size_t size) : taken_(pieces), size_(size) {
    taken_.clear();
  }

  [[nodiscard]] bool take(std::size_t at, std::size_t size) {
    if (at > size_ || size > size_ - at) return false;
    const auto next = std::lower_bound(
        taken_.begin(), taken_.end(), at,
        [](const CheckState::Piece& piece, std::size_t value) { return piece.begin < value; });
    if (next != taken_.end() && next->begin < at + size) return false;
    if (next != taken_.begin() && std::prev(next)->end > at) return false;
    taken_.insert(next, {at, at + size});
    return true;
  }

 private:
  std::vector<CheckState::Piece>& taken_;
  std::size_t size_;
};

class AttributeCheck {
 public:
  AttributeCheck(CheckState& state, const CheckedInode& inode) : state_(state), inode_(inode) {}

  [[nodiscard]] Result<AttributesFound> check() {
    if (!state_.is_hidden_number(inode_.number)) IMPRINT_TRY(check_in_inode());
    IMPRINT_TRY(check_block());
    return found_;
  }

 private:
  [[nodiscard]] Unexpected bad(std::string_view what) const {
    return state_.corrupt(fmt::format("the extended attributes of inode {} cannot be right: {}",
                                      inode_.number, what));
  }

  [[nodiscard]] Result<> check_in_inode();
  [[nodiscard]] Result<> check_block();
  [[nodiscard]] Result<> check_new_block(blk64_t block, AttributeBlock& into);
  /// Entries from `at` on; values count from `values`. Returns the clusters of values elsewhere.
  [[nodiscard]] Result<std::uint64_t> check_entries(MutableBytes area, std::size_t at,
                                                    std::size_t values, bool in_inode);
  [[nodiscard]] Result<std::uint64_t> check_value_inode(ext2_ext_attr_entry& entry);
  [[nodiscard]] Result<> check_hash(MutableBytes area, std::size_t at, std::size_t value,
                                    bool in_inode) const;

  CheckState& state_;
  const CheckedInode& inode_;
  AttributesFound found_;
};

Result<> AttributeCheck::check_in_inode() {
  const auto size = static_cast<std::size_t>(EXT2_INODE_SIZE(&state_.super));
  if (size == EXT2_GOOD_OLD_INODE_SIZE) return {};
  const std::size_t extra = inode_.raw->i_extra_isize;
  const std::size_t most = size - EXT2_GOOD_OLD_INODE_SIZE;
  if (extra != 0 && (extra < 4 || extra > most || extra % 4 != 0)) {
    return state_.corrupt(
        fmt::format("inode {} says that {} of its bytes are fields", inode_.number, extra));
  }
  if (extra + sizeof(std::uint32_t) >= most) return {};
  const MutableBytes area(
      reinterpret_cast<std::byte*>(inode_.raw) + EXT2_GOOD_OLD_INODE_SIZE + extra, most - extra);
  std::uint32_t magic = 0;
  std::memcpy(&magic, area.data(), sizeof(magic));
  if (magic != EXT2_EXT_ATTR_MAGIC) return {};
  found_.clusters += IMPRINT_TRY(check_entries(area, sizeof(magic), sizeof(magic), true));
  return {};
}

Result<std::uint64_t> AttributeCheck::check_entries(MutableBytes area, std::size_t at,
                                                    std::size_t values, bool in_inode) {
  Area places(state_.pieces, area.size());
  (void)places.take(0, at);
  std::uint64_t clusters = 0;
  while (at + sizeof(std::uint32_t) <= area.size()) {
    std::uint32_t head = 0;
    std::memcpy(&head, area.data() + at, sizeof(head));
    if (head == 0) break;
    const auto name_size = std::to_integer<std::size_t>(area[at]);
    const std::size_t size = EXT2_EXT_ATTR_LEN(name_size);
    if (!places.take(at, size)) return bad("an entry is too long");
    ext2_ext_attr_entry entry{};
    std::memcpy(&entry, area.data() + at, sizeof(entry));
    if (!in_inode && entry.e_name_index == 0) return bad("an entry has no name");
    if (entry.e_value_inum != 0) {
      auto* const in_place = reinterpret_cast<ext2_ext_attr_entry*>(area.data() + at);
      clusters += IMPRINT_TRY(check_value_inode(*in_place));
    } else {
      const std::size_t value = values + entry.e_value_offs;
      const std::size_t padded = (std::size_t{entry.e_value_size} + 3) / 4 * 4;
      if (entry.e_value_size > area.size() ||
          (entry.e_value_size != 0 && !places.take(value, padded)))
        return bad("a value is not in its place");
      IMPRINT_TRY(check_hash(area, at, value, in_inode));
      const std::string_view name = text_of(area.subspan(at + sizeof(entry), name_size));
      if (in_inode && entry.e_name_index == kSystemIndex && name == "data") {
        found_.has_inline_data = true;
        found_.inline_data =
            entry.e_value_size == 0 ? ByteView() : area.subspan(value, entry.e_value_size);
      }
    }
    at += size;
  }
  if (!places.take(at, sizeof(std::uint32_t))) return bad("they have no end");
  return clusters;
}

Result<> AttributeCheck::check_hash(MutableBytes area, std::size_t at, std::size_t value,
                                    bool in_inode) const {
  auto* const entry = reinterpret_cast<ext2_ext_attr_entry*>(area.data() + at);
  // Of attributes in inodes it was not always written.
  if (in_inode && entry->e_hash == 0) return {};
  void* const data = area.data() + (entry->e_value_size == 0 ? 0 : value);
  if (entry->e_hash == ext2fs_ext_attr_hash_entry(entry, data) ||
      entry->e_hash == ext2fs_ext_attr_hash_entry_signed(entry, data)) {
    return {};
  }
  return bad("one does not match its hash");
}

Result<std::uint64_t> AttributeCheck::check_value_inode(ext2_ext_attr_entry& entry) {
  const InodeNumber number = entry.e_value_inum;
  InodeSeen* const seen = state_.seen(number);
  if (number < EXT2_FIRST_INODE(&state_.super) || seen == nullptr)
    return bad("a value is in an inode that does not exist");
  FullInode holder = IMPRINT_TRY(state_.impl.read_inode(number));
  if ((holder.base().i_flags & EXT4_EA_INODE_FL) == 0)
    return bad(fmt::format("a value is said to be in inode {}, which holds none", number));
  ++seen->values;
  __u32 hash = 0;
  __u32 signed_hash = 0;
  IMPRINT_TRY(state_.impl.check(
      ext2fs_ext_attr_hash_entry3(state_.fs, &entry, nullptr, &hash, &signed_hash)));
  const std::uint64_t cluster_bytes = std::uint64_t{state_.block_bytes}
                                      << static_cast<unsigned>(state_.fs->cluster_ratio_bits);
  if (entry.e_hash == hash || entry.e_hash == signed_hash)
    return (entry.e_value_size + cluster_bytes - 1) / cluster_bytes;
  // Lustre has such inodes without hashes; they say whose they are.
  if (holder.base().i_mtime == inode_.number &&
      holder.base().i_generation == inode_.raw->i_generation)
    return 0;
  return bad("one does not match its hash");
}

Result<> AttributeCheck::check_block() {
  const blk64_t block = ext2fs_file_acl_block(state_.fs, &inode_.base());
  if (block == 0) return {};
  if (ext2fs_has_feature_xattr(&state_.super) == 0 || !state_.is_block(block)) {
    return bad(fmt::format("they are said to be in block {}, which cannot be", block));
  }
  const auto known = state_.attribute_blocks.find(block);
  if (known != state_.attribute_blocks.end()) {
    ++known->second.seen;
    found_.clusters += 1 + known->second.value_clusters;
    return {};
  }
  AttributeBlock fresh{.seen = 1};
  IMPRINT_TRY(check_new_block(block, fresh));
  state_.attribute_blocks.emplace(block, fresh);
  found_.clusters += 1 + fresh.value_clusters;
  return {};
}

Result<> AttributeCheck::check_new_block(blk64_t block, AttributeBlock& into) {
  IMPRINT_TRY(state_.claim(block, 1, inode_.number));
  Bytes& buffer = state_.buffer;
  buffer.resize(state_.block_bytes);
  IMPRINT_TRY(state_.read(block, buffer));
  ext2_ext_attr_header header{};
  std::memcpy(&header, buffer.data(), sizeof(header));
  if (header.h_magic != EXT2_EXT_ATTR_MAGIC || header.h_blocks != 1)
    return bad(fmt::format("there are none in block {}", block));
  if (ext2fs_ext_attr_block_csum_verify(state_.fs, inode_.number, block,
                                        reinterpret_cast<ext2_ext_attr_header*>(buffer.data())) ==
      0) {
    return state_.corrupt(
        fmt::format("the extended attributes in block {} do not match their checksum", block));
  }
  into.says = header.h_refcount;
  into.value_clusters = IMPRINT_TRY(check_entries(buffer, sizeof(header), 0, false));
  return {};
}

}  // namespace

Result<AttributesFound> check_attributes(CheckState& state, const CheckedInode& inode) {
  return AttributeCheck(state, inode).check();
}

}  // namespace imprint::image
