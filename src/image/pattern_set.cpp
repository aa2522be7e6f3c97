// The tables of a search for many patterns (search.cpp has the idea).

#include "pattern_set.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace imprint::image {
namespace {

using Compiled = PatternSet::Compiled;

// 16 to 32 bits a window: up to 6 of 100 foreign windows have to be looked up. Of millions of
// windows each gets fewer, lest the table grow beyond 8 MiB.
constexpr unsigned kLeastBits = 12;
constexpr unsigned kMostBits = 26;

/// How often such a window is met in other data, as a guess: runs of one byte are everywhere.
[[nodiscard]] unsigned commonness(const std::byte* at) noexcept {
  std::array<std::byte, kWindowBytes> bytes{};
  std::memcpy(bytes.data(), at, bytes.size());
  std::ranges::sort(bytes);
  // Not std::ranges::unique, which clang 14 does not compile.
  const auto repeated = bytes.end() - std::unique(bytes.begin(), bytes.end());
  return (1U << (2 * repeated)) + (window_at(at) == 0 ? 1U << 20U : 0U);
}

/// Where the windows of a pattern should start: the last of the best places.
[[nodiscard]] std::uint32_t best_first_window(ByteView pattern, std::size_t windows) noexcept {
  std::size_t best = 0;
  unsigned least = ~0U;
  for (std::size_t first = 0; first + windows - 1 + kWindowBytes <= pattern.size(); ++first) {
    unsigned sum = 0;
    for (std::size_t step = 0; step < windows; ++step)
      sum += commonness(pattern.data() + first + step);
    if (sum > least) continue;
    least = sum;
    best = first;
  }
  return static_cast<std::uint32_t>(best);
}

Result<> check(ByteView pattern, std::size_t index) {
  if (pattern.size() < PatternSet::kShortest || pattern.size() > PatternSet::kLongest) {
    return fail(Code::invalid_input,
                fmt::format("pattern {} has {} bytes; a search takes patterns of {} to {}", index,
                            pattern.size(), PatternSet::kShortest, PatternSet::kLongest));
  }
  if (std::ranges::all_of(pattern, [](std::byte byte) { return byte == std::byte{0}; }))
    return fail(Code::invalid_input,
                fmt::format("pattern {} is nothing but zeros, which are everywhere", index));
  return {};
}

void copy_patterns(std::span<const ByteView> patterns, Compiled& set) {
  std::size_t total = 0;
  for (const ByteView pattern : patterns) {
    total += pattern.size();
    if (pattern.size() < kWindowBytes - 1 + set.step) set.step = 4;
  }
  set.bytes.resize(total);
  set.places.reserve(patterns.size());
  std::byte* at = set.bytes.data();
  std::size_t offset = 0;
  for (const ByteView pattern : patterns) {
    std::ranges::copy(pattern, at + offset);
    set.places.push_back({.offset = offset,
                          .size = static_cast<std::uint32_t>(pattern.size()),
                          .first_window = best_first_window(pattern, set.step)});
    set.longest = std::max(set.longest, pattern.size());
    offset += pattern.size();
  }
}

/// Calls `visit` with the hash of each window of each pattern, and which it is.
template <class Visit>
void for_each_window(const Compiled& set, Visit visit) {
  for (std::size_t index = 0; index < set.places.size(); ++index) {
    const std::byte* first = set.pattern(index).data() + set.places[index].first_window;
    for (std::size_t step = 0; step < set.step; ++step) {
      visit(Compiled::hash(window_at(first + step)),
            static_cast<std::uint32_t>(index * set.step + step));
    }
  }
}

/// A counting sort by bucket.
void fill_tables(Compiled& set) {
  const std::size_t windows = set.places.size() * set.step;
  const auto bucket_bits =
      std::max(static_cast<unsigned>(std::bit_width(windows)), kLeastBits - 4U);
  const unsigned bits = std::max(std::min(bucket_bits + 4U, kMostBits), bucket_bits);
  set.bit_shift = 64U - bits;
  set.bucket_shift = 64U - bucket_bits;
  set.bits.resize(std::size_t{1} << (bits - 6U));
  set.bucket_ends.resize((std::size_t{1} << bucket_bits) + 2);
  set.entries.resize(windows);

  for_each_window(set, [&](std::uint64_t hash, std::uint32_t) {
    const std::uint64_t bit = hash >> set.bit_shift;
    set.bits[bit >> 6U] |= std::uint64_t{1} << (bit & 63U);
    ++set.bucket_ends[(hash >> set.bucket_shift) + 2];
    set.has_zero_window |= hash == 0;
  });
  for (std::size_t i = 1; i < set.bucket_ends.size(); ++i)
    set.bucket_ends[i] += set.bucket_ends[i - 1];
  // Now [i + 1] is where bucket i begins; filling moves it to where it ends.
  for_each_window(set, [&](std::uint64_t hash, std::uint32_t pattern_and_step) {
    set.entries[set.bucket_ends[(hash >> set.bucket_shift) + 1]++] = {
        .hash = static_cast<std::uint32_t>(hash), .pattern_and_step = pattern_and_step};
  });
}

}  // namespace

PatternSet::PatternSet(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

PatternSet::PatternSet(PatternSet&&) noexcept = default;
PatternSet& PatternSet::operator=(PatternSet&&) noexcept = default;
PatternSet::~PatternSet() = default;

std::size_t PatternSet::size() const noexcept {
  return compiled_->places.size();
}

Result<PatternSet> PatternSet::compile(std::span<const ByteView> patterns) {
  // 2^27 patterns: their windows have a number of 30 bits.
  if (patterns.size() >= std::size_t{1} << 27U)
    return fail(Code::unsupported, "more than 134 million patterns at once cannot be searched for");
  for (std::size_t index = 0; index < patterns.size(); ++index)
    IMPRINT_TRY(check(patterns[index], index));
  auto compiled = std::make_unique<Compiled>();
  copy_patterns(patterns, *compiled);
  fill_tables(*compiled);
  return PatternSet(std::move(compiled));
}

}  // namespace imprint::image
