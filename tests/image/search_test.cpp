#include "imprint/image/search.hpp"

#include <algorithm>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "imprint/image/clone.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;
using test::IsOk;
using test::TempDir;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

/// Random bytes below `values`: few values make for many near misses.
[[nodiscard]] Bytes noise(std::size_t size, unsigned seed, unsigned values = 256) {
  std::mt19937 generator(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes)
    byte = static_cast<std::byte>(generator() % values);
  return bytes;
}

[[nodiscard]] PatternSet compiled(const std::vector<Bytes>& patterns) {
  const std::vector<ByteView> views(patterns.begin(), patterns.end());
  return PatternSet::compile(views).value();
}

/// What std::search finds, each pattern by itself.
[[nodiscard]] std::vector<Hit> plain_search(ByteView data, const std::vector<Bytes>& patterns) {
  std::vector<Hit> hits;
  for (std::uint32_t i = 0; i < patterns.size(); ++i) {
    auto from = data.begin();
    for (;;) {
      from = std::search(from, data.end(), patterns[i].begin(), patterns[i].end());
      if (from == data.end()) break;
      hits.push_back({.offset = static_cast<std::uint64_t>(from - data.begin()), .pattern = i});
      ++from;
    }
  }
  std::ranges::sort(hits);
  return hits;
}

void put(Bytes& data, std::size_t offset, const Bytes& pattern) {
  std::ranges::copy(pattern, data.begin() + static_cast<std::ptrdiff_t>(offset));
}

/// An image that is no file.
class MemoryImage final : public ImageReader {
 public:
  explicit MemoryImage(Bytes bytes) : bytes_(std::move(bytes)) {}

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return bytes_.size(); }

  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override {
    if (offset > bytes_.size() || into.size() > bytes_.size() - offset)
      return fail(Code::corrupt, "beyond the end");
    if (offset + into.size() > broken_at_) return fail(Code::io, "the disk is broken");
    std::ranges::copy(ByteView(bytes_).subspan(static_cast<std::size_t>(offset), into.size()),
                      into.begin());
    return {};
  }

  [[nodiscard]] const fs::path& path() const noexcept override { return path_; }

  void break_at(std::uint64_t offset) noexcept { broken_at_ = offset; }

 private:
  Bytes bytes_;
  std::uint64_t broken_at_ = ~std::uint64_t{0};
  fs::path path_ = "memory.img";
};

[[nodiscard]] std::vector<Hit> hits_in(const ImageReader& image, const std::vector<Bytes>& patterns,
                                       std::size_t max_hits = 1'000'000) {
  const auto found = search(image, compiled(patterns), {.max_hits = max_hits});
  EXPECT_THAT(found, IsOk());
  EXPECT_TRUE(found->complete);
  return found->hits;
}

TEST(Search, FindsWhatAPlainSearchFinds) {
  for (unsigned round = 0; round < 40; ++round) {
    // Two to nine values and cut from the data itself: windows that are shared, patterns that
    // overlap and repeat.
    const unsigned values = 2 + round % 8;
    Bytes data = noise(20'000 + round * 37, round, values);
    std::mt19937 generator(round);
    std::vector<Bytes> patterns;
    for (unsigned i = 0; i < 1 + round; ++i) {
      const std::size_t size = PatternSet::kShortest + generator() % (round % 4 == 0 ? 200 : 8);
      const std::size_t from = generator() % (data.size() - size);
      const auto begin = data.begin() + static_cast<std::ptrdiff_t>(from);
      patterns.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
      patterns.back().front() ^= std::byte(generator() % 5 == 0);
    }
    std::erase_if(patterns, [](const Bytes& pattern) {
      return std::ranges::count(pattern, std::byte{0}) == std::ssize(pattern);
    });
    const std::vector<Hit> expected = plain_search(data, patterns);
    EXPECT_EQ(hits_in(MemoryImage(data), patterns), expected) << round;
    const SearchResult in_memory =
        search(ByteView(data).subspan(3), compiled(patterns), {.max_hits = 1'000'000}, 3);
    std::vector<Hit> later = expected;
    std::erase_if(later, [](const Hit& hit) { return hit.offset < 3; });
    EXPECT_EQ(in_memory.hits, later) << round;
  }
}

TEST(Search, FindsAPatternAtEveryOffset) {
  for (const std::size_t size : {11U, 12U, 16U, 63U, 200U}) {
    const std::vector<Bytes> patterns = {noise(size, 1)};
    for (std::size_t at = 0; at < 140; ++at) {
      Bytes data = noise(140 + size, 2);
      put(data, at, patterns[0]);
      EXPECT_EQ(hits_in(MemoryImage(data), patterns), (std::vector<Hit>{{at, 0}}));
    }
  }
}

TEST(Search, FindsPatternsAcrossTheEdgesOfWhatIsReadAtOnce) {
  // Of many lengths: the edge falls at every place of each, and none is told twice.
  std::vector<Bytes> patterns;
  for (const std::size_t size : {11U, 12U, 40U, 4096U})
    patterns.push_back(noise(size, static_cast<unsigned>(size)));
  for (const std::size_t edge : {kMiB, 2 * kMiB}) {
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      const std::size_t size = patterns[i].size();
      for (std::size_t into = 0; into <= size; into += size > 100 ? 333 : 1) {
        Bytes data(3 * kMiB + 5, std::byte{0x55});
        put(data, edge - into, patterns[i]);
        const SearchResult found = search(MemoryImage(data), compiled(patterns)).value();
        EXPECT_EQ(found.hits, (std::vector<Hit>{{edge - into, static_cast<std::uint32_t>(i)}}));
      }
    }
  }
}

TEST(Search, FindsThemAtTheVeryStartAndEnd) {
  const std::vector<Bytes> patterns = {noise(11, 1), noise(100, 2)};
  for (const std::size_t size : {100 * kKiB + 1, 2 * kMiB, 2 * kMiB + 3, 2 * kMiB - 1}) {
    Bytes data = noise(size, 3);
    put(data, 0, patterns[0]);
    put(data, size - 100, patterns[1]);
    EXPECT_EQ(hits_in(MemoryImage(data), patterns), (std::vector<Hit>{{0, 0}, {size - 100, 1}}));
  }
  EXPECT_EQ(hits_in(MemoryImage(patterns[0]), patterns), (std::vector<Hit>{{0, 0}}));
  EXPECT_TRUE(hits_in(MemoryImage({}), patterns).empty());
  EXPECT_TRUE(hits_in(MemoryImage(Bytes(10, std::byte{1})), patterns).empty());
}

TEST(Search, TellsEqualPatternsEach) {
  const Bytes pattern = noise(20, 1);
  const Bytes inner(pattern.begin() + 3, pattern.begin() + 15);
  Bytes data = noise(10'000, 2);
  put(data, 5001, pattern);
  EXPECT_EQ(hits_in(MemoryImage(data), {pattern, inner, pattern}),
            (std::vector<Hit>{{5001, 0}, {5001, 2}, {5004, 1}}));
}

TEST(Search, FindsPatternsThatBeginOrEndWithZeros) {
  // Data of one kind of byte next to zeros, which are skipped: on both sides of the edges of pages.
  Bytes begins(40, std::byte{0});
  std::ranges::fill(std::span(begins).subspan(25), std::byte{7});
  Bytes ends(40, std::byte{9});
  std::ranges::fill(std::span(ends).subspan(15), std::byte{0});
  Bytes nearly_all(30, std::byte{0});
  nearly_all[13] = std::byte{5};
  Bytes data(64 * kKiB, std::byte{0});
  put(data, 8192 - 25, begins);
  put(data, 3 * 8192 - 15, ends);
  put(data, 5 * 8192 - 13, nearly_all);
  put(data, 6 * 8192 - 14, nearly_all);
  put(data, 64 * kKiB - 40, ends);
  const std::vector<Bytes> two = {begins, ends};
  EXPECT_EQ(hits_in(MemoryImage(data), two), plain_search(data, two));
  const std::vector<Bytes> all = {begins, ends, nearly_all};
  EXPECT_EQ(hits_in(MemoryImage(data), all), plain_search(data, all));
}

TEST(Search, FindsManyPatternsAmongMany) {
  std::vector<Bytes> patterns;
  for (unsigned i = 0; i < 10'000; ++i)
    patterns.push_back(noise(11 + i % 30, 1000 + i));
  Bytes data = noise(2 * kMiB, 1);
  std::vector<Hit> expected;
  for (std::uint32_t i = 0; i < patterns.size(); i += 3) {
    const std::size_t at = i * 160 + i % 100;
    put(data, at, patterns[i]);
    expected.push_back({at, i});
  }
  EXPECT_EQ(hits_in(MemoryImage(data), patterns), expected);
}

TEST(Search, SkipsHolesOfFiles) {
  const TempDir dir;
  const Bytes pattern = noise(64, 1);
  Bytes half_zero = noise(30, 2);  // its zeros will be the hole's
  std::ranges::fill(std::span(half_zero).first(18), std::byte{0});
  const std::uint64_t size = 3ULL << 30U;
  {
    File file = File::create_new(dir / "sparse.img", 0600).value();
    ASSERT_THAT(file.resize(size + 77), IsOk());
    ASSERT_THAT(file.write_all(0, pattern), IsOk());
    ASSERT_THAT(file.write_all((1ULL << 30U) + 3 * kMiB - 31, pattern), IsOk());
    ASSERT_THAT(file.write_all(2ULL << 30U, ByteView(half_zero).subspan(18)), IsOk());
    ASSERT_THAT(file.write_all(size + 77 - 64, pattern), IsOk());
  }
  const FileImage image = FileImage::open(dir / "sparse.img").value();
  const auto ranges = data_ranges(image.file()).value();
  if (ranges.size() < 3) GTEST_SKIP() << "needs a file system that has holes";
  std::atomic<std::uint64_t> bytes_read = 0;
  const auto found = search(image, compiled({pattern, half_zero}), {.bytes_read = &bytes_read});
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->hits, (std::vector<Hit>{{0, 0},
                                           {(1ULL << 30U) + 3 * kMiB - 31, 0},
                                           {(2ULL << 30U) - 18, 1},
                                           {size + 77 - 64, 0}}));
  const std::uint64_t planned = bytes_to_search(image).value();
  EXPECT_LT(planned, kMiB);
  EXPECT_GE(bytes_read, planned);
  EXPECT_LE(bytes_read, planned + ranges.size() * 2 * pattern.size());
}

TEST(Search, ReadsAFileAsItWasOpened) {
  const TempDir dir;
  const Bytes pattern = noise(50, 1);
  File file = File::create_new(dir / "grows.img", 0600).value();
  ASSERT_THAT(file.write_all(0, noise(10'000, 2)), IsOk());
  const FileImage image = FileImage::open(dir / "grows.img").value();
  ASSERT_THAT(file.write_all(9'970, pattern), IsOk());
  EXPECT_TRUE(hits_in(image, {pattern}).empty());
  EXPECT_EQ(bytes_to_search(image).value(), 10'000U);
}

TEST(Search, StopsAtTheLimit) {
  const Bytes pattern = noise(20, 1);
  Bytes data = noise(3 * kMiB, 2);
  for (std::size_t at = 0; at + 20 <= data.size(); at += 1000)
    put(data, at, pattern);
  std::atomic<std::uint64_t> bytes_read = 0;
  const auto found =
      search(MemoryImage(data), compiled({pattern}), {.max_hits = 10, .bytes_read = &bytes_read});
  ASSERT_THAT(found, IsOk());
  EXPECT_FALSE(found->complete);
  EXPECT_EQ(found->hits.size(), 10U);
  EXPECT_EQ(found->hits.back(), (Hit{9000, 0}));
  EXPECT_LE(bytes_read, kMiB);
}

TEST(Search, ALimitThatIsJustReachedIsComplete) {
  const Bytes pattern = noise(20, 1);
  Bytes data = noise(10'000, 2);
  put(data, 100, pattern);
  put(data, 9'980, pattern);
  const auto found = search(MemoryImage(data), compiled({pattern}), {.max_hits = 2});
  ASSERT_THAT(found, IsOk());
  EXPECT_TRUE(found->complete);
  EXPECT_EQ(found->hits, (std::vector<Hit>{{100, 0}, {9'980, 0}}));
}

TEST(Search, LeavesOutWhatIsExpected) {
  const Bytes pattern = noise(20, 1);
  Bytes data = noise(kMiB, 2);
  for (std::size_t at = 0; at < 500'000; at += 1000)
    put(data, at, pattern);
  put(data, 700'001, pattern);
  const auto found =
      search(MemoryImage(data), compiled({pattern}),
             {.max_hits = 1, .expected = [](const Hit& hit) { return hit.offset < 500'000; }});
  ASSERT_THAT(found, IsOk());
  EXPECT_TRUE(found->complete);
  EXPECT_EQ(found->hits, (std::vector<Hit>{{700'001, 0}}));
}

TEST(Search, StopsWhenAsked) {
  const std::atomic<bool> stop = true;
  EXPECT_THAT(search(MemoryImage(noise(100, 1)), compiled({noise(20, 2)}), {.stop = &stop}),
              FailsWith(Code::cancelled, "stopped while searching 'memory.img'"));
}

TEST(Search, ServesManyThreadsAtOnce) {
  std::vector<Bytes> patterns;
  for (unsigned i = 0; i < 500; ++i)
    patterns.push_back(noise(16, i));
  Bytes data = noise(kMiB, 1000);
  for (std::size_t i = 0; i < patterns.size(); ++i)
    put(data, i * 2001, patterns[i]);
  const PatternSet set = compiled(patterns);
  const MemoryImage image(data);
  std::vector<std::size_t> counts(4);
  {
    std::vector<std::jthread> threads;
    for (std::size_t& count : counts)
      threads.emplace_back([&] { count = search(image, set).value().hits.size(); });
  }
  EXPECT_EQ(counts, std::vector<std::size_t>(4, 500));
}

TEST(Search, NoPatternsAreFoundNowhere) {
  const PatternSet none = compiled({});
  EXPECT_EQ(none.size(), 0U);
  EXPECT_TRUE(search(MemoryImage(noise(1000, 1)), none).value().hits.empty());
  EXPECT_TRUE(search(noise(1000, 1), none).hits.empty());
}

TEST(Search, PassesOnWhatCannotBeRead) {
  MemoryImage image(noise(3 * kMiB, 1));
  image.break_at(2 * kMiB + 100);
  std::atomic<std::uint64_t> bytes_read = 0;
  EXPECT_THAT(search(image, compiled({noise(20, 2)}), {.bytes_read = &bytes_read}),
              FailsWith(Code::io, "the disk is broken"));
  EXPECT_EQ(bytes_read, 2 * kMiB);
}

TEST(PatternSet, RefusesWhatItCannotFind) {
  const Bytes good = noise(11, 1);
  const auto compile = [&](const Bytes& bad) {
    const std::vector<ByteView> patterns = {good, bad};
    return PatternSet::compile(patterns);
  };
  EXPECT_THAT(compile(noise(10, 1)),
              FailsWith(Code::invalid_input,
                        "pattern 1 has 10 bytes; a search takes patterns of 11 to 4096"));
  EXPECT_THAT(compile(noise(4097, 1)), FailsWith(Code::invalid_input, "pattern 1 has 4097 bytes"));
  EXPECT_THAT(
      compile(Bytes(20)),
      FailsWith(Code::invalid_input, "pattern 1 is nothing but zeros, which are everywhere"));
  EXPECT_THAT(compile(noise(4096, 1)), IsOk());
}

}  // namespace
}  // namespace imprint::image
