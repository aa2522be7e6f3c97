#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace imprint::manifest {

/// Hash of a text in which ASCII letters of either case are the same.
[[nodiscard]] inline std::uint64_t folded_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    hash ^= static_cast<unsigned char>(upper ? c + ('a' - 'A') : c);
    hash *= 0x100000001b3;
  }
  // FNV leaves the high bits weak for short texts; the table takes its tag from there.
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  return hash;
}

/// Finds rows by a text that they can produce but that is stored nowhere else: a hash table of row
/// numbers, 8 bytes a slot. A set of strings would cost a million devices 60 MB and as many
/// allocations; this costs 16 MB and is gone when checked.
class RowIndex {
 public:
  /// The row that is already there with this hash and for which `same(row)` holds; otherwise none,
  /// and `row` is there now.
  template <class Same>
  std::optional<std::uint32_t> insert(std::uint64_t hash, std::uint32_t row, const Same& same) {
    if ((count_ + 1) * 4 > slots_.size() * 3) grow();
    Slot& slot = slots_[locate(hash, same)];
    if (slot.row != kFree) return slot.row;
    slot = {.tag = tag_of(hash), .row = row};
    ++count_;
    return std::nullopt;
  }

  template <class Same>
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t hash, const Same& same) const {
    if (slots_.empty()) return std::nullopt;
    const Slot& slot = slots_[locate(hash, same)];
    return slot.row == kFree ? std::nullopt : std::optional(slot.row);
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;

  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t row = kFree;
  };

  /// The tag also says where a slot belongs, so that growing needs no hash again: enough for 2^32
  /// slots.
  static std::uint32_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32);
  }

  /// The slot of an equal row, or the free one where it would go.
  template <class Same>
  [[nodiscard]] std::size_t locate(std::uint64_t hash, const Same& same) const {
    const std::uint32_t tag = tag_of(hash);
    std::size_t at = tag & (slots_.size() - 1);
    while (slots_[at].row != kFree && !(slots_[at].tag == tag && same(slots_[at].row))) {
      at = (at + 1) & (slots_.size() - 1);
    }
    return at;
  }

  void grow() {
    std::vector<Slot> old(slots_.empty() ? 1024 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.row == kFree) continue;
      std::size_t at = slot.tag & (slots_.size() - 1);
      while (slots_[at].row != kFree)
        at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;  ///< size is a power of two
  std::size_t count_ = 0;
};

}  // namespace imprint::manifest
