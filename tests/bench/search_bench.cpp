// How fast an image in the page cache is searched for many patterns at once, on one core, and what
// a memmem for each pattern would take.
//
//   search_bench [FILE]    a file of 512 MiB that is made in the current folder, or this one
//
// The made file is one quarter each of random bytes, of programs and libraries of this machine, of
// base64 and of hex, lines of 64 characters. The two searches run in turn, five times over; medians
// of processor time are printed. memmem has only a part of the file to search when there are many
// patterns. Build it with the release preset.

#include <cstring>
#include <ctime>
#include <random>
#include <string>

#include "imprint/base/base64.hpp"
#include "imprint/crypto/key_traces.hpp"
#include "imprint/image/search.hpp"
#include "rounds.hpp"

namespace {

using namespace imprint;
using namespace imprint::bench;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kQuarter = 128 * kMiB;

Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  Bytes bytes(size);
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t value = generator();
    std::memcpy(bytes.data() + i, &value, sizeof value);
  }
  return bytes;
}

/// Programs and libraries, one after another, as many as fit.
Bytes programs(std::size_t size) {
  Bytes bytes;
  for (const char* folder : {"/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                             "/usr/lib/gcc", "/usr/lib"}) {
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(
             folder, fs::directory_options::skip_permission_denied, ignored)) {
      if (!entry.is_regular_file(ignored) || entry.is_symlink(ignored)) continue;
      const auto content = read_file(entry.path());
      if (!content || content->empty()) continue;
      bytes.insert(bytes.end(), content->begin(), content->end());
      if (bytes.size() >= size)
        return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    }
  }
  return bytes;
}

/// A text in lines of 64 characters.
Bytes lines(std::string_view text) {
  Bytes bytes;
  for (std::size_t at = 0; at < text.size(); at += 64) {
    const ByteView line = bytes_of(text.substr(at, 64));
    bytes.insert(bytes.end(), line.begin(), line.end());
    bytes.push_back(std::byte{'\n'});
  }
  return bytes;
}

void succeed(const Result<>& result) {
  if (result) return;
  fmt::print(stderr, "{}\n", result.error().message());
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): there are no threads
}

struct Part {
  std::string_view name;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// A part of an image as an image.
class PartOf final : public image::ImageReader {
 public:
  PartOf(const image::FileImage& whole, const Part& part) : whole_(whole), part_(part) {}

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return part_.size; }

  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override {
    return whole_.read(part_.offset + offset, into);
  }

  [[nodiscard]] const fs::path& path() const noexcept override { return whole_.path(); }

 private:
  const image::FileImage& whole_;
  Part part_;
};

std::vector<Part> make_file(const fs::path& path) {
  File file = must(File::create_new(path, 0600));
  std::vector<Part> parts;
  std::uint64_t offset = 0;
  const auto add = [&](std::string_view name, const Bytes& bytes) {
    succeed(file.write_all(offset, bytes));
    parts.push_back({.name = name, .offset = offset, .size = bytes.size()});
    offset += bytes.size();
  };
  add("random", random_bytes(kQuarter, 1));
  add("programs", programs(kQuarter));
  add("base64", lines(to_base64(random_bytes(kQuarter / 4 * 3, 2))));
  add("hex", lines(to_hex(random_bytes(kQuarter / 2, 3))));
  return parts;
}

/// Of processor time, kernel included, so that other work on the machine hardly counts.
double seconds(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double start = now();
  work();
  return now() - start;
}

/// As a program without a search for many would do it, reading the same way.
std::size_t memmem_each(const image::ImageReader& image, std::uint64_t size,
                        const std::vector<ByteView>& patterns) {
  Bytes buffer(kMiB);
  std::size_t found = 0;
  for (std::uint64_t offset = 0; offset < size; offset += buffer.size()) {
    const auto part = MutableBytes(buffer).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset)));
    if (!image.read(offset, part)) std::abort();
    for (const ByteView pattern : patterns)
      found +=
          ::memmem(part.data(), part.size(), pattern.data(), pattern.size()) != nullptr ? 1 : 0;
  }
  return found;
}

std::vector<ByteView> first(const std::vector<ByteView>& list, std::size_t count) {
  return {list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(count, list.size()))};
}

std::vector<ByteView> traces_of(const std::vector<crypto::KeyTraces>& keys, std::size_t count) {
  std::vector<ByteView> traces;
  for (std::size_t key = 0; key < count; ++key) {
    for (std::size_t i = 0; i < keys[key].size(); ++i)
      traces.push_back(keys[key][i].bytes);
  }
  return traces;
}

void compare(const image::ImageReader& image, std::string_view data, std::string_view what,
             const std::vector<ByteView>& patterns) {
  const auto set = must(image::PatternSet::compile(patterns));
  const std::uint64_t memmem_size = std::min<std::uint64_t>(
      image.size_bytes(), std::max<std::uint64_t>(kMiB, kQuarter * 4 / patterns.size()));
  std::vector<double> ours;
  std::vector<double> theirs;
  for (int round = 0; round < 5; ++round) {
    ours.push_back(static_cast<double>(image.size_bytes()) / seconds([&] {
                     if (!must(image::search(image, set)).hits.empty()) std::abort();
                   }));
    // A memmem for each of more patterns would take minutes: the time is in proportion to them.
    const std::vector<ByteView> some = first(patterns, 1000);
    const double time = seconds([&] {
      if (memmem_each(image, memmem_size, some) != 0) std::abort();
    });
    theirs.push_back(static_cast<double>(memmem_size) / time * static_cast<double>(some.size()) /
                     static_cast<double>(patterns.size()));
  }
  std::ranges::sort(ours);
  std::ranges::sort(theirs);
  fmt::print("{:4.2f}  {:11.6f}  {:8.1f}  {} / {}\n", ours[2] / 1e9, theirs[2] / 1e9,
             ours[2] / theirs[2], data, what);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path path = argc > 1 ? fs::path(argv[1]) : fs::path("search_bench.img");
  std::vector<Part> parts;
  if (argc <= 1) parts = make_file(path);
  const auto whole = must(image::FileImage::open(path));
  if (argc <= 1) succeed(remove_file(path));
  if (parts.empty()) parts.push_back({.name = "file", .offset = 0, .size = whole.size_bytes()});

  std::vector<Bytes> random;
  for (unsigned i = 0; i < 10'000; ++i)
    random.push_back(random_bytes(16, 1000 + i));
  const std::vector<ByteView> views(random.begin(), random.end());
  std::vector<crypto::KeyTraces> keys;
  for (unsigned i = 0; i < 10'000; ++i) {
    const auto key = must(crypto::PrivateKey::generate(crypto::KeyKind::ec_p256));
    keys.push_back(must(crypto::KeyTraces::of(key)));
  }

  fmt::print("GB/s  memmem GB/s     ratio  data / patterns\n");
  for (const Part& part : parts) {
    const PartOf image(whole, part);
    for (const std::size_t count : {1U, 30U, 10'000U})
      compare(image, part.name, fmt::to_string(count), first(views, count));
    for (const std::size_t count : {1U, 1000U, 10'000U}) {
      const std::vector<ByteView> traces = traces_of(keys, count);
      compare(image, part.name, fmt::format("{} of {} keys", traces.size(), count), traces);
    }
  }
  return 0;
}
