// Searching an image for thousands of keys has to go at the speed of reading it. Automata such as
// Aho-Corasick's do work for each byte, and their tables for 10,000 patterns miss every cache;
// memmem for each pattern is fast for one and hopeless for hundreds.
//
// Here only every eighth offset of the data is looked at. A pattern of 15 bytes or more has,
// however it lies, a window of eight bytes at such an offset, which is one of eight windows that
// were chosen from it beforehand (for patterns of 11 to 14 bytes it is every fourth offset). A
// table of bits, indexed by a hash of the window, says "none of ours" to nearly all other windows;
// only then a hash table is looked up, and only for the same window are the bytes compared. Windows
// of four bytes did not tell enough: 10,000 patterns were half as fast to find, and in hex text
// every window was one.
//
// The lookups go page by page in passes, none of which has a branch that depends on the data, so
// the processor has many under way at a time. Two bits for each window, large pages for the tables
// and pieces of 256 KiB were tried and gained nothing.
//
// 4 KiB of zeros at a time are skipped, holes of files are not even read. Figures:
// docs/benchmarks.md.

#include "imprint/image/search.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <utility>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/image/clone.hpp"
#include "pattern_set.hpp"

namespace imprint::image {
namespace {

using Compiled = PatternSet::Compiled;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

[[nodiscard]] bool is_zero(ByteView bytes) noexcept {
  return bytes.front() == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

class Scanner {
 public:
  Scanner(const PatternSet& patterns, const SearchOptions& options)
      : set_(patterns.compiled()),
        options_(options) {}

  /// Looks for the patterns in `bytes`, which begin at `offset` of the image and of whose first
  /// `seen` everything is known. False when no more hits are wanted.
  bool scan(ByteView bytes, std::size_t seen, std::uint64_t offset) {
    bytes_ = bytes;
    seen_ = seen;
    offset_ = offset;
    for (std::size_t at = 0; at < bytes.size() && result_.complete; at += kPage) {
      const ByteView page = bytes.subspan(at, std::min(kPage, bytes.size() - at));
      if (!set_.has_zero_window && is_zero(page)) continue;
      scan_page(at, at + page.size());
    }
    return result_.complete;
  }

  [[nodiscard]] SearchResult take() {
    std::ranges::sort(result_.hits);
    return std::move(result_);
  }

 private:
  /// In passes, each over all that the one before has left: so the processor waits for many
  /// lookups at a time, and guesses no branch wrong.
  void scan_page(std::size_t at, std::size_t end) {
    const std::size_t count = set_.step == 8 ? candidates<8>(at, end) : candidates<4>(at, end);
    const std::span<const std::size_t> found(candidates_.data(), count);
    for (const std::size_t candidate : found)
      __builtin_prefetch(&set_.bucket_ends[bucket_at(candidate)]);
    for (const std::size_t candidate : found)
      __builtin_prefetch(set_.entries.data() + set_.bucket_ends[bucket_at(candidate)]);
    for (const std::size_t candidate : found)
      look_up(candidate);
  }

  /// Offsets of windows that may be ours.
  template <std::size_t Step>
  std::size_t candidates(std::size_t at, std::size_t end) {
    end = std::min(end, bytes_.size() - std::min(bytes_.size(), kWindowBytes - 1));
    std::size_t count = 0;
    for (; at < end; at += Step) {
      candidates_[count] = at;
      count += set_.may_be_ours(hash_at(at));
    }
    return count;
  }

  [[nodiscard]] std::uint64_t hash_at(std::size_t at) const noexcept {
    return Compiled::hash(window_at(bytes_.data() + at));
  }

  [[nodiscard]] std::size_t bucket_at(std::size_t at) const noexcept {
    return hash_at(at) >> set_.bucket_shift;
  }

  void look_up(std::size_t at) {
    const std::uint64_t hash = hash_at(at);
    const std::uint64_t bucket = hash >> set_.bucket_shift;
    const std::uint32_t end = set_.bucket_ends[bucket + 1];
    for (std::uint32_t i = set_.bucket_ends[bucket]; i < end; ++i) {
      const Compiled::Entry& entry = set_.entries[i];
      if (entry.hash == static_cast<std::uint32_t>(hash)) compare(at, entry.pattern_and_step);
    }
  }

  void compare(std::size_t at, std::size_t pattern_and_step) {
    const std::size_t index = pattern_and_step / set_.step;
    const Compiled::Place& place = set_.places[index];
    const std::size_t before = place.first_window + pattern_and_step % set_.step;
    if (before > at || place.size > bytes_.size() - (at - before)) return;
    const std::size_t begin = at - before;
    if (begin + place.size <= seen_) return;
    if (std::memcmp(bytes_.data() + begin, set_.pattern(index).data(), place.size) != 0) return;
    report({.offset = offset_ + begin, .pattern = static_cast<std::uint32_t>(index)});
  }

  void report(const Hit& hit) {
    if (!result_.complete || (options_.expected && options_.expected(hit))) return;
    if (result_.hits.size() < options_.max_hits)
      result_.hits.push_back(hit);
    else
      result_.complete = false;
  }

  const Compiled& set_;
  const SearchOptions& options_;
  std::array<std::size_t, kPage / 4> candidates_{};
  ByteView bytes_;
  std::size_t seen_ = 0;
  std::uint64_t offset_ = 0;
  SearchResult result_;
};

/// What of an image is worth reading, ascending.
Result<std::vector<DataRange>> ranges_of(const ImageReader& image) {
  const auto* file = dynamic_cast<const FileImage*>(&image);
  if (file == nullptr)
    return std::vector<DataRange>{{.offset = 0, .length_bytes = image.size_bytes()}};
  std::vector<DataRange> ranges = IMPRINT_TRY(data_ranges(file->file()));
  // The size of the opening counts, as it does for read().
  for (DataRange& range : ranges) {
    range.offset = std::min(range.offset, image.size_bytes());
    range.length_bytes = std::min(range.length_bytes, image.size_bytes() - range.offset);
  }
  std::erase_if(ranges, [](const DataRange& range) { return range.length_bytes == 0; });
  return ranges;
}

/// With `margin` more on both sides, so that a pattern that begins or ends with zeros is found when
/// these are in a hole; what then touches becomes one.
std::vector<DataRange> widened(const std::vector<DataRange>& ranges, std::uint64_t margin,
                               std::uint64_t size) {
  std::vector<DataRange> wide;
  for (const DataRange& range : ranges) {
    const std::uint64_t begin = range.offset - std::min(range.offset, margin);
    const std::uint64_t length = range.offset - begin + range.length_bytes;
    const std::uint64_t end = begin + length + std::min(margin, size - (begin + length));
    if (!wide.empty() && begin <= wide.back().offset + wide.back().length_bytes)
      wide.back().length_bytes = end - wide.back().offset;
    else
      wide.push_back({.offset = begin, .length_bytes = end - begin});
  }
  return wide;
}

/// Reads ranges piece by piece, with the end of the piece before in front of each.
class Reading {
 public:
  Reading(const ImageReader& image, const PatternSet& patterns, const SearchOptions& options)
      : image_(image),
        options_(options),
        overlap_(patterns.compiled().longest - 1),
        scanner_(patterns, options),
        memory_(kPieceBytes + 2 * kPage) {
    // Pieces begin on a page, which the kernel copies faster to.
    void* at = memory_.data() + kPage;
    std::size_t room = memory_.size() - kPage;
    piece_ = static_cast<std::byte*>(std::align(kPage, kPieceBytes, at, room));
  }

  /// False when no more hits are wanted.
  Result<bool> read(DataRange range) {
    std::size_t kept = 0;
    while (range.length_bytes > 0) {
      if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed))
        return fail(Code::cancelled, "stopped while searching " + quoted(image_.path().native()));
      const std::size_t size = piece_size(range);
      IMPRINT_TRY(image_.read(range.offset, {piece_, size}));
      const ByteView all(piece_ - kept, kept + size);
      if (!scanner_.scan(all, kept, range.offset - kept)) return false;
      if (options_.bytes_read != nullptr) *options_.bytes_read += size;
      kept = std::min(overlap_, all.size());
      std::memmove(piece_ - kept, all.last(kept).data(), kept);
      range.offset += size;
      range.length_bytes -= size;
    }
    return true;
  }

  [[nodiscard]] SearchResult take() { return scanner_.take(); }

 private:
  /// Up to the next multiple of a piece, so that all but the first and last are aligned in the
  /// file.
  [[nodiscard]] static std::size_t piece_size(const DataRange& range) noexcept {
    const std::uint64_t room = kPieceBytes - range.offset % kPieceBytes;
    return static_cast<std::size_t>(std::min(range.length_bytes, room));
  }

  const ImageReader& image_;
  const SearchOptions& options_;
  std::size_t overlap_;
  Scanner scanner_;
  crypto::WipedBytes memory_;
  std::byte* piece_ = nullptr;
};

}  // namespace

Result<SearchResult> search(const ImageReader& image, const PatternSet& patterns,
                            const SearchOptions& options) {
  if (patterns.size() == 0) return SearchResult{};
  const std::vector<DataRange> data = IMPRINT_TRY(ranges_of(image));
  const std::vector<DataRange> ranges =
      widened(data, patterns.compiled().longest - 1, image.size_bytes());
  Reading reading(image, patterns, options);
  for (const DataRange& range : ranges) {
    const bool go_on = IMPRINT_TRY(reading.read(range));
    if (!go_on) break;
  }
  return reading.take();
}

Result<std::uint64_t> bytes_to_search(const ImageReader& image) {
  const std::vector<DataRange> ranges = IMPRINT_TRY(ranges_of(image));
  std::uint64_t sum = 0;
  for (const DataRange& range : ranges)
    sum += range.length_bytes;
  return sum;
}

SearchResult search(ByteView bytes, const PatternSet& patterns, const SearchOptions& options,
                    std::uint64_t offset) {
  if (patterns.size() == 0) return {};
  Scanner scanner(patterns, options);
  scanner.scan(bytes, 0, offset);
  return scanner.take();
}

}  // namespace imprint::image
