// A compressed image is decompressed once, before anything else is done with it, into a file that
// has no name: everything else then works on an ordinary sparse file, with random access, and
// nothing has to be tidied up.

#include "imprint/image/decompress.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "decoder.hpp"
#include "imprint/base/text.hpp"
#include "sparse.hpp"

namespace imprint::image {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kBufferBytes = 256U << 10;
constexpr std::size_t kMagicBytes = 6;

struct Magic {
  Compression kind;
  std::string_view bytes;
};

constexpr std::array kMagics = {
    Magic{Compression::gzip, "\x1f\x8b"sv},
    Magic{Compression::bzip2, "BZh"sv},
    Magic{Compression::xz,
          "\xfd"
          "7zXZ\0"sv},
    Magic{Compression::zstd, "\x28\xb5\x2f\xfd"sv},
};

/// A zstd frame that decoders skip; pzstd begins with one. 0x184D2A50 to 5F, little endian.
[[nodiscard]] bool is_skippable_frame(std::string_view head) noexcept {
  return head.size() >= 4 && head.substr(1, 3) == "\x2a\x4d\x18"sv &&
         (static_cast<unsigned char>(head[0]) & 0xF0U) == 0x50U;
}

[[nodiscard]] Compression by_magic(ByteView bytes) noexcept {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Magic& magic : kMagics) {
    if (head.starts_with(magic.bytes)) return magic.kind;
  }
  return is_skippable_frame(head) ? Compression::zstd : Compression::none;
}

/// One run through a compressed file, member by member.
class Decompression {
 public:
  Decompression(const FileImage& compressed, Compression kind, const Unpacking& unpacking)
      : compressed_(compressed),
        kind_(kind),
        unpacking_(unpacking),
        buffer_(new std::byte[2 * kBufferBytes]) {}

  /// Everything, into `output`, which gets its size.
  Result<> run(File& output) {
    decoder_ = IMPRINT_TRY(make_decoder(kind_));
    std::uint64_t written = 0;
    for (bool more = true; more;) {
      if (unpacking_.stop != nullptr && *unpacking_.stop) {
        return fail(Code::cancelled, "interrupted");
      }
      std::size_t filled = 0;
      more = IMPRINT_TRY(fill(filled));
      IMPRINT_TRY(write_without_zeros(output, written, output_buffer().first(filled)));
      written += filled;
    }
    if (written == 0) return refuse("holds nothing: decompressed it is empty");
    return output.resize(written);
  }

 private:
  [[nodiscard]] MutableBytes output_buffer() noexcept { return {buffer_.get(), kBufferBytes}; }

  [[nodiscard]] Unexpected refuse(std::string_view what) const {
    return fail(Code::corrupt, fmt::format("{} {}", quoted(compressed_.path().native()), what));
  }

  /// Fills the output buffer, so that its blocks lie where blocks of the file are; false at the
  /// end.
  Result<bool> fill(std::size_t& filled) {
    while (filled < kBufferBytes) {
      if (input_.empty()) IMPRINT_TRY(read_more());
      const bool last = position_ + input_.size() == compressed_.size_bytes();
      auto step = decoder_->step(input_, last, output_buffer().subspan(filled));
      if (!step) return fail(damaged(step.error()));
      position_ += step->taken;
      input_ = input_.subspan(step->taken);
      filled += step->given;
      if (step->ended && !IMPRINT_TRY(begin_next_member())) return false;
      if (last && !step->ended && step->taken == 0 && step->given == 0) {
        return refuse(fmt::format("is cut off: its {} data has no end; get it again", name(kind_)));
      }
    }
    return true;
  }

  /// The next input; nothing at the end of the file.
  Result<> read_more() {
    const MutableBytes all(buffer_.get() + kBufferBytes, kBufferBytes);
    const std::uint64_t left = compressed_.size_bytes() - position_;
    const auto part =
        all.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, all.size())));
    IMPRINT_TRY(compressed_.read(position_, part));
    input_ = part;
    return {};
  }

  /// After the end of a member: true when another follows, false at the end of the file. Zeros may
  /// fill it up, as a copy from a medium leaves them.
  Result<bool> begin_next_member() {
    const std::uint64_t end = position_;
    for (;;) {
      if (input_.empty()) IMPRINT_TRY(read_more());
      if (input_.empty()) return false;
      const auto something = std::find_if(input_.begin(), input_.end(),
                                          [](std::byte byte) { return byte != std::byte{0}; });
      const auto zeros = static_cast<std::size_t>(something - input_.begin());
      position_ += zeros;
      input_ = input_.subspan(zeros);
      if (!input_.empty()) break;
    }
    if (input_.size() < kMagicBytes) IMPRINT_TRY(read_more());  // the magic bytes together
    if (by_magic(input_.first(std::min(input_.size(), kMagicBytes))) != kind_) {
      return refuse(
          fmt::format("has {} bytes behind its {} data, from byte {} on, that are none; "
                      "get it again",
                      compressed_.size_bytes() - end, name(kind_), end));
    }
    decoder_ = IMPRINT_TRY(make_decoder(kind_));
    return true;
  }

  [[nodiscard]] Error damaged(const Error& error) const {
    if (error.code != Code::corrupt) return error;
    return {Code::corrupt,
            fmt::format("{} is damaged: its {} data cannot be read near byte {} ({}); get it again",
                        quoted(compressed_.path().native()), name(kind_), position_, error.what)};
  }

  const FileImage& compressed_;
  Compression kind_;
  const Unpacking& unpacking_;
  std::unique_ptr<std::byte[]> buffer_;  // output, then input
  std::unique_ptr<Decoder> decoder_;
  ByteView input_;              // not taken yet
  std::uint64_t position_ = 0;  // of input_ in the file
};

Result<File> decompress(const FileImage& compressed, Compression kind, const Unpacking& unpacking) {
  const fs::path shown = compressed.path().filename().native() + " (decompressed)";
  File content = IMPRINT_TRY(File::create_unnamed(unpacking.directory, shown.native()));
  Decompression decompression(compressed, kind, unpacking);
  IMPRINT_TRY(decompression.run(content));
  return content;
}

}  // namespace

std::string_view name(Compression kind) noexcept {
  switch (kind) {
    case Compression::none:
      break;
    case Compression::gzip:
      return "gzip";
    case Compression::bzip2:
      return "bzip2";
    case Compression::xz:
      return "xz";
    case Compression::zstd:
      return "zstd";
  }
  return "none";
}

Result<Compression> compression_of(const File& file) {
  std::array<std::byte, kMagicBytes> bytes{};
  const std::uint64_t size = IMPRINT_TRY(file.size_bytes());
  const auto head = MutableBytes(bytes).first(
      static_cast<std::size_t>(std::min<std::uint64_t>(size, bytes.size())));
  IMPRINT_TRY(file.read_exact(0, head));
  return by_magic(head);
}

Result<Compression> compression_of(const fs::path& path) {
  const File file = IMPRINT_TRY(File::open_read(path));
  return compression_of(file);
}

fs::path temporary_directory() {
  // The environment is changed by nobody at this time: commands read it before they start threads.
  const char* chosen = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe)
  return chosen != nullptr && *chosen != '\0' ? chosen : "/var/tmp";
}

Result<FileImage> open_image(const fs::path& path, const Unpacking& unpacking) {
  FileImage image = IMPRINT_TRY(FileImage::open(path));
  const Compression kind = IMPRINT_TRY(compression_of(image.file()));
  if (kind == Compression::none) return image;

  const std::string doing = fmt::format("decompressing {}", quoted(path.native()));
  if (unpacking.tell) unpacking.tell(doing);
  auto decompressed = decompress(image, kind, unpacking);
  if (!decompressed && decompressed.error().code == Code::corrupt) {
    return fail(std::move(decompressed).error());  // names the file itself
  }
  File content = IMPRINT_TRY(std::move(decompressed).context(doing));
  if (IMPRINT_TRY(image.changed_since_opened())) {
    return fail(Code::busy, fmt::format("{} was written to while it was being decompressed: run "
                                        "this again when it is complete",
                                        quoted(path.native())));
  }
  const Compression inner = IMPRINT_TRY(compression_of(content));
  if (inner != Compression::none) {
    return fail(Code::invalid_input,
                fmt::format("{} is compressed twice ({} in {}): decompress it once",
                            quoted(path.native()), name(inner), name(kind)));
  }
  return std::move(image).with_content(std::move(content));
}

Result<std::vector<DataRange>> content_ranges(const FileImage& image) {
  if (!image.was_compressed()) return data_ranges(image.file());
  return std::vector<DataRange>{{.offset = 0, .length_bytes = image.size_bytes()}};
}

}  // namespace imprint::image
