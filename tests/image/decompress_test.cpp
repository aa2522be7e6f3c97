#include "imprint/image/decompress.hpp"

#include <cerrno>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "image/disk_image.hpp"
#include "imprint/base/text.hpp"
#include "support/command.hpp"
#include "support/fault.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;
using test::IsOk;
using test::kMiB;
using test::TempDir;

[[nodiscard]] std::uint64_t allocated_bytes(int fd) {
  struct stat status = {};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

/// Bytes that no program can make much smaller, and text that all can.
[[nodiscard]] std::string mixture(std::size_t size) {
  std::string out(size, 'x');
  unsigned seed = 1;
  for (std::size_t i = 0; i < size / 2; ++i) {
    seed = seed * 1664525U + 1013904223U;
    out[i] = static_cast<char>(seed >> 24U);
  }
  return out;
}

/// 24 MiB: data at odd places, holes, an end that is no multiple of a block.
void make_original(const fs::path& path) {
  File file = File::create_new(path, 0600).value();
  const std::string data = mixture(kMiB + 123);
  ASSERT_THAT(file.resize(24 * kMiB + 777), IsOk());
  ASSERT_THAT(file.write_all(0, bytes_of(data)), IsOk());
  ASSERT_THAT(file.write_all(9 * kMiB + 4000, bytes_of(data)), IsOk());
  ASSERT_THAT(file.write_all(24 * kMiB + 700, bytes_of("tail")), IsOk());
}

void run(const std::vector<std::string>& command) {
  const auto result = test::run_command(command);
  ASSERT_EQ(result.status, 0) << command.front() << ": " << result.err;
}

void append(const fs::path& to, std::string_view bytes) {
  std::ofstream(to, std::ios::binary | std::ios::app) << bytes;
}

struct Format {
  Compression kind;
  std::string program;
  std::string extension;
};

void PrintTo(const Format& format, std::ostream* out) {
  *out << format.program;
}

/// One program's files.
class Decompress : public testing::TestWithParam<Format> {
 protected:
  void SetUp() override { IMPRINT_NEED_COMMAND(GetParam().program); }

  /// Compressed by the program with these options; the original stays.
  fs::path compress(const fs::path& original, const std::vector<std::string>& options = {}) {
    const auto& [kind, program, extension] = GetParam();
    std::vector<std::string> command{program, "-k", "-f"};
    if (program == "zstd") command.emplace_back("-q");
    command.insert(command.end(), options.begin(), options.end());
    command.push_back(original.native());
    run(command);
    // Content decides, whatever the file is called.
    fs::path target = original.native() + ".image";
    fs::rename(original.native() + extension, target);
    return target;
  }

  fs::path compressed_text(std::string_view text) { return compress(dir_.write("text", text)); }

  Result<FileImage> open(const fs::path& path) {
    return open_image(path, {.directory = scratch_, .stop = nullptr, .tell = {}});
  }

  void expect_content(const FileImage& image, const fs::path& original) {
    const std::string content = fmt::format("/proc/{}/fd/{}", ::getpid(), image.file().fd());
    const auto compared = test::run_command({"cmp", content, original.native()});
    EXPECT_EQ(compared.status, 0) << compared.out << compared.err;
  }

  TempDir dir_;
  fs::path scratch_ = dir_ / "scratch";
};

INSTANTIATE_TEST_SUITE_P(Formats, Decompress,
                         testing::Values(Format{Compression::gzip, "gzip", ".gz"},
                                         Format{Compression::bzip2, "bzip2", ".bz2"},
                                         Format{Compression::xz, "xz", ".xz"},
                                         Format{Compression::zstd, "zstd", ".zst"}),
                         [](const testing::TestParamInfo<Format>& param) {
                           return param.param.program;
                         });

TEST_P(Decompress, GivesTheOriginalWithHoles) {
  const fs::path original = dir_ / "original";
  make_original(original);
  const fs::path path = compress(original);
  fs::create_directory(scratch_);
  EXPECT_EQ(compression_of(path).value(), GetParam().kind);
  EXPECT_EQ(name(GetParam().kind), GetParam().program);

  const auto image = open(path);
  ASSERT_THAT(image, IsOk());
  EXPECT_TRUE(image->was_compressed());
  EXPECT_EQ(image->path(), path);
  EXPECT_EQ(image->size_bytes(), 24 * kMiB + 777);
  expect_content(*image, original);
  EXPECT_LE(allocated_bytes(image->file().fd()), 3 * kMiB);
  EXPECT_TRUE(fs::is_empty(scratch_));

  Bytes tail(4);
  ASSERT_THAT(image->read(24 * kMiB + 700, tail), IsOk());
  EXPECT_EQ(text_of(tail), "tail");
  EXPECT_THAT(image->read(24 * kMiB + 776, tail), FailsWith(Code::corrupt, "lie beyond its end"));
}

TEST_P(Decompress, ReadsAllMembers) {
  const fs::path first = dir_.write("first", mixture(kMiB + 5));
  const fs::path second = dir_.write("second", mixture(3 * kMiB));
  const fs::path path = compress(first);
  append(path, test::slurp(compress(second)));
  append(path, test::slurp(compressed_text("")));
  append(path, test::slurp(compressed_text("the end")));
  const fs::path all = dir_.write("all", test::slurp(first) + test::slurp(second) + "the end");
  const auto image = open(path);
  ASSERT_THAT(image, IsOk());
  expect_content(*image, all);
}

TEST_P(Decompress, IgnoresZerosBehindTheEnd) {
  const fs::path path = compressed_text("content");
  append(path, std::string(kMiB, '\0'));
  const auto image = open(path);
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->size_bytes(), 7);
}

TEST_P(Decompress, RefusesWhatIsCutOffAnywhere) {
  const fs::path original = dir_.write("original", mixture(20000));
  const std::string whole = test::slurp(compress(original));
  const std::size_t magic = GetParam().kind == Compression::xz ? 6 : 4;
  for (std::size_t size = magic; size < whole.size(); size += size < 100 ? 1 : 997) {
    const fs::path cut = dir_.write("cut.img", whole.substr(0, size));
    EXPECT_THAT(open(cut), FailsWith(Code::corrupt, "cut.img' is cut off: its")) << size;
  }
  for (std::size_t missing = 1; missing < 20; ++missing) {
    const fs::path cut = dir_.write("cut.img", whole.substr(0, whole.size() - missing));
    EXPECT_THAT(open(cut), FailsWith(Code::corrupt, "data has no end; get it again")) << missing;
  }
}

TEST_P(Decompress, RefusesWhatIsDamaged) {
  const fs::path original = dir_.write("original", mixture(200000));
  const std::string whole = test::slurp(compress(original));
  // zstd's -k makes frames with a checksum, as all the others have one.
  for (std::size_t at = 20; at + 4 < whole.size(); at += 1009) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    EXPECT_THAT(open(dir_.write("bad.img", bytes)), FailsWith(Code::corrupt, "bad.img' is ")) << at;
  }
  // The last checksum is behind the data.
  std::string bytes = whole;
  const std::size_t at = bytes.size() - (GetParam().kind == Compression::gzip ? 6 : 3);
  bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
  EXPECT_THAT(open(dir_.write("bad.img", bytes)), FailsWith(Code::corrupt, "bad.img' is damaged"));
}

TEST_P(Decompress, RefusesSomethingElseBehindTheEnd) {
  const fs::path path = compressed_text("content");
  const std::uint64_t end = fs::file_size(path);
  append(path, "garbage");
  EXPECT_THAT(open(path), FailsWith(Code::corrupt,
                                    fmt::format("has 7 bytes behind its {} data, from byte {} on",
                                                GetParam().program, end)));
}

TEST_P(Decompress, RefusesNothing) {
  EXPECT_THAT(open(compressed_text("")),
              FailsWith(Code::corrupt, "text.image' holds nothing: decompressed it is empty"));
}

TEST_P(Decompress, RefusesWhatIsCompressedTwice) {
  const fs::path once = compressed_text("content");
  const fs::path twice = compress(once);
  EXPECT_THAT(open(twice), FailsWith(Code::invalid_input,
                                     fmt::format("is compressed twice ({0} in {0}): decompress it "
                                                 "once",
                                                 GetParam().program)));
}

TEST_P(Decompress, AFullDiskIsSaidWithWhatWasBeingDone) {
  const fs::path path = compressed_text("content");
  const auto fails = [this, &path](std::string_view call) {
    const test::ScopedFaultHook hook(
        [call](std::string_view operation) { return operation == call ? ENOSPC : 0; });
    return open(path);
  };
  const std::string doing = "decompressing '" + path.native() + "': ";
  EXPECT_THAT(fails("open"), FailsWith(Code::no_space, doing + "making a file in"));
  EXPECT_THAT(fails("pwrite"), FailsWith(Code::no_space, doing + "writing '"));
  EXPECT_THAT(fails("pwrite"), FailsWith(Code::no_space, "text.image (decompressed)': No space"));
  EXPECT_THAT(fails("ftruncate"), FailsWith(Code::no_space, doing + "resizing '"));
}

TEST_P(Decompress, StopsWhenAsked) {
  const fs::path path = compressed_text("content");
  const std::atomic<bool> stop = true;
  EXPECT_THAT(open_image(path, {.directory = dir_.path(), .stop = &stop, .tell = {}}),
              FailsWith(Code::cancelled, "decompressing '" + path.native() + "': interrupted"));
}

TEST_P(Decompress, NoticesThatTheFileIsWrittenTo) {
  const fs::path path = compressed_text("content");
  const Unpacking unpacking{.directory = dir_.path(), .stop = nullptr, .tell = [&](auto /*doing*/) {
                              append(path, std::string(10, '\0'));
                            }};
  EXPECT_THAT(open_image(path, unpacking),
              FailsWith(Code::busy, "was written to while it was being decompressed"));

  const auto image = open(path);
  ASSERT_THAT(image, IsOk());
  EXPECT_FALSE(image->changed_since_opened().value());
  append(path, "more");
  EXPECT_TRUE(image->changed_since_opened().value());
}

TEST(OpenImage, TakesWhatIsNotCompressedAsItIs) {
  const TempDir dir;
  for (const std::string_view content : {"", "x", "\x1f", "no image at all"}) {
    const fs::path path = dir.write("plain.gz", content);
    const auto image =
        open_image(path, {.directory = "/nowhere", .stop = nullptr, .tell = [](auto doing) {
                            ADD_FAILURE() << doing;
                          }});
    ASSERT_THAT(image, IsOk());
    EXPECT_FALSE(image->was_compressed());
    EXPECT_EQ(image->size_bytes(), content.size());
  }
  EXPECT_THAT(open_image(dir / "none.gz", {}), FailsWith(Code::not_found, "none.gz'"));
}

TEST(OpenImage, SaysWhatItDoesOnce) {
  IMPRINT_NEED_COMMAND("gzip");
  const TempDir dir;
  run({"gzip", dir.write("base.sdimg", "content").native()});
  std::vector<std::string> said;
  const fs::path path = dir / "base.sdimg.gz";
  ASSERT_THAT(open_image(path, {.directory = dir.path(),
                                .stop = nullptr,
                                .tell = [&](auto doing) { said.emplace_back(doing); }}),
              IsOk());
  EXPECT_EQ(said, std::vector<std::string>{"decompressing '" + path.native() + "'"});
}

TEST(OpenImage, UsesTheNearestFolderThatIsThere) {
  IMPRINT_NEED_COMMAND("gzip");
  const TempDir dir;
  run({"gzip", dir.write("base", "content").native()});
  EXPECT_THAT(
      open_image(dir / "base.gz", {.directory = dir / "not" / "yet", .stop = nullptr, .tell = {}}),
      IsOk());
  EXPECT_FALSE(fs::exists(dir / "not"));
}

// Of several blocks (several threads decode them), with the largest dictionary, with long windows.
TEST(OpenImage, ReadsWhatXzAndZstdCanMake) {
  IMPRINT_NEED_COMMAND("xz");
  IMPRINT_NEED_COMMAND("zstd");
  const TempDir dir;
  make_original(dir / "original");
  const std::vector<std::vector<std::string>> commands = {
      {"xz", "-k", "-T2", "--block-size=262144", "-0"},
      {"xz", "-k", "-1", "--check=none"},
      {"xz", "-k", "-1", "--check=sha256"},
      {"zstd", "-q", "-k", "--long=31", "-1"},
      {"zstd", "-q", "-k", "--no-check", "-1"},
      {"zstd", "-q", "-k", "-T2", "-19"},
  };
  for (std::vector<std::string> command : commands) {
    command.push_back((dir / "original").native());
    run(command);
    const fs::path path = dir / (command[0] == "xz" ? "original.xz" : "original.zst");
    const auto image = open_image(path, {.directory = dir.path(), .stop = nullptr, .tell = {}});
    ASSERT_THAT(image, IsOk()) << fmt::format("{}", fmt::join(command, " "));
    const std::string content = fmt::format("/proc/{}/fd/{}", ::getpid(), image->file().fd());
    EXPECT_EQ(test::run_command({"cmp", content, (dir / "original").native()}).status, 0);
    fs::remove(path);
  }
}

TEST(OpenImage, SkipsTheFramesThatZstdSkips) {
  IMPRINT_NEED_COMMAND("zstd");
  const TempDir dir;
  run({"zstd", "-q", dir.write("base", "content").native()});
  using std::string_literals::operator""s;
  const std::string skipped =
      "\x5a\x2a\x4d\x18\x03\x00\x00\x00...\x50\x2a\x4d\x18\x00\x00\x00\x00"s;
  const std::string frame = test::slurp(dir / "base.zst");
  const fs::path path = dir.write("skips", skipped + frame + skipped + frame);
  const auto image = open_image(path, {.directory = dir.path(), .stop = nullptr, .tell = {}});
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->size_bytes(), 14);
}

TEST(ContentRanges, OfWhatWasCompressedAreAll) {
  IMPRINT_NEED_COMMAND("gzip");
  const TempDir dir;
  make_original(dir / "base");
  const auto plain = FileImage::open(dir / "base");
  ASSERT_THAT(plain, IsOk());
  EXPECT_GT(content_ranges(*plain)->size(), 1);
  run({"gzip", "-k", (dir / "base").native()});
  const auto image =
      open_image(dir / "base.gz", {.directory = dir.path(), .stop = nullptr, .tell = {}});
  ASSERT_THAT(image, IsOk());
  const auto ranges = content_ranges(*image);
  ASSERT_EQ(ranges->size(), 1);
  EXPECT_EQ(ranges->front().offset, 0);
  EXPECT_EQ(ranges->front().length_bytes, plain->size_bytes());
}

TEST(TemporaryDirectory, IsTheEnvironments) {
  const char* before = std::getenv("TMPDIR");
  const std::optional<std::string> kept =
      before ? std::optional<std::string>(before) : std::nullopt;
  ::setenv("TMPDIR", "/some/where", 1);
  EXPECT_EQ(temporary_directory(), "/some/where");
  ::setenv("TMPDIR", "", 1);
  EXPECT_EQ(temporary_directory(), "/var/tmp");
  ::unsetenv("TMPDIR");
  EXPECT_EQ(temporary_directory(), "/var/tmp");
  if (kept) ::setenv("TMPDIR", kept->c_str(), 1);
}

}  // namespace
}  // namespace imprint::image
