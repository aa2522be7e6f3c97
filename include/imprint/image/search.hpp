#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// Byte strings to be searched for all at once, made ready once. Immutable and thread-safe;
/// move-only. The strings may be secret: what is kept of them is wiped when the set goes.
class PatternSet {
 public:
  static constexpr std::size_t kShortest = 11;  ///< with 15 and more for all, twice as fast
  static constexpr std::size_t kLongest = 4096;

  struct Compiled;

  /// Copies the patterns, which are known by their place in the list; equal ones are found each.
  /// Code::invalid_input for one that is too short, too long or nothing but zeros.
  static Result<PatternSet> compile(std::span<const ByteView> patterns);

  PatternSet(PatternSet&&) noexcept;
  PatternSet& operator=(PatternSet&&) noexcept;
  PatternSet(const PatternSet&) = delete;
  PatternSet& operator=(const PatternSet&) = delete;
  ~PatternSet();

  [[nodiscard]] std::size_t size() const noexcept;

  [[nodiscard]] const Compiled& compiled() const noexcept { return *compiled_; }

 private:
  explicit PatternSet(std::unique_ptr<const Compiled> compiled);

  std::unique_ptr<const Compiled> compiled_;
};

struct Hit {
  std::uint64_t offset = 0;  ///< in the image
  std::uint32_t pattern = 0;
  friend auto operator<=>(const Hit&, const Hit&) = default;
};

struct SearchOptions {
  /// More hits than these are not looked for.
  std::size_t max_hits = 1000;
  /// Hits that do not count, being where they belong: not among the hits, nor among max_hits.
  std::function<bool(const Hit&)> expected = {};
  const std::atomic<bool>* stop = nullptr;  ///< Code::cancelled soon after it is set
  std::atomic<std::uint64_t>* bytes_read =
      nullptr;  ///< grows by what was read, for a progress line
};

struct SearchResult {
  std::vector<Hit> hits;  ///< ascending
  bool complete = true;   ///< false: there were more than max_hits, and the rest was not looked at
};

/// Every occurrence of the patterns in an image, overlapping ones too. Holes of a FileImage are not
/// read. Holds little more than 1 MiB of memory, wiped afterwards. Errors are those of reading.
[[nodiscard]] Result<SearchResult> search(const ImageReader& image, const PatternSet& patterns,
                                          const SearchOptions& options = {});

/// How many bytes a search of this image reads: its size without holes.
[[nodiscard]] Result<std::uint64_t> bytes_to_search(const ImageReader& image);

/// The same for bytes in memory, which are at `offset` of something.
[[nodiscard]] SearchResult search(ByteView bytes, const PatternSet& patterns,
                                  const SearchOptions& options = {}, std::uint64_t offset = 0);

}  // namespace imprint::image
