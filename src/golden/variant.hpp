#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "edits.hpp"
#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/golden/overlay.hpp"
#include "imprint/image/clone.hpp"
#include "inode_decoder.hpp"

namespace imprint::golden {

/// How device files of certain block counts lie in the image: the nominal layout, which the golden
/// image has, or another one, with what it takes to get there from the golden image. Immutable.
class Variant {
 public:
  /// `from_golden`: what turns the golden image into this variant's image; empty for the nominal
  /// one. `facts` belong to the copies, index by index.
  static Result<Variant> make(std::vector<PlacedCopy> copies, std::vector<FileSystemFacts> facts,
                              const image::Patch& from_golden);

  /// Whether contents of these sizes fill exactly the blocks of this layout.
  [[nodiscard]] bool fits(std::span<const ByteView> contents) const noexcept;

  /// Replaces `into`.
  void make_overlay(std::span<const ByteView> contents, Overlay& into) const;

  /// Everything that make_overlay may write, whatever the contents; ascending, disjoint.
  [[nodiscard]] std::span<const image::DataRange> touched() const noexcept { return touched_; }

  [[nodiscard]] std::span<const PlacedCopy> copies() const noexcept { return copies_; }

  [[nodiscard]] const FileSystemFacts& facts(std::size_t copy) const { return facts_[copy]; }

 private:
  std::vector<PlacedCopy> copies_;
  std::vector<FileSystemFacts> facts_;
  std::vector<image::Write> fixed_;  // outside the device files' inodes and blocks
  std::vector<image::DataRange> touched_;
  bool pads_ = false;  // write the zeros behind a content, too
};

/// The variants of a golden image, each made when it is first needed and kept. Thread-safe.
class VariantCache {
 public:
  using Build = std::function<Result<Variant>(std::span<const std::uint64_t> sizes)>;

  /// `nominal` outlives the cache; its copies say how sizes become blocks.
  explicit VariantCache(const Variant& nominal) : nominal_(nominal) {}

  /// The variant for these contents, or why it cannot be: the same answer for the same block
  /// counts, whoever asks first. `build` is called once per block counts; others who need it wait.
  Result<const Variant*> get(std::span<const ByteView> contents, const Build& build);

 private:
  struct Slot {
    std::vector<std::uint64_t> blocks;  // per copy
    std::once_flag once;
    std::optional<Result<Variant>> variant;
  };

  [[nodiscard]] bool is_for(const Slot& slot, std::span<const ByteView> contents) const noexcept;
  [[nodiscard]] Slot* find(std::span<const ByteView> contents) const noexcept;
  Slot& find_or_add(std::span<const ByteView> contents);

  const Variant& nominal_;
  std::shared_mutex mutex_;  // guards the list; a slot's content is guarded by its flag
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace imprint::golden
