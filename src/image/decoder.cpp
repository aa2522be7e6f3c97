// Four libraries, one verb. libarchive has the same verb and was tried first: version 3.6 does not
// look at gzip's checksum and length (a damaged image would pass for a good one), ignores what
// follows the compressed data, and draws in libxml2 and ICU, 5 ms at the start of every command.

#include "decoder.hpp"

#include <algorithm>
#include <bzlib.h>
#include <limits>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <fmt/format.h>

namespace imprint::image {
namespace {

/// What the largest windows that zstd --long=31 and xz know need; files ask for what they use.
constexpr std::uint64_t kMemoryLimitBytes = std::uint64_t{1} << 32;

[[nodiscard]] Unexpected broken(std::string_view reason) {
  return fail(Code::corrupt, std::string(reason));
}

[[nodiscard]] Unexpected no_memory(std::string_view kind) {
  return fail(Code::internal, fmt::format("no memory for {}", kind));
}

/// zlib and libbz2 count in unsigned, and do not promise to leave their input alone in its type.
[[nodiscard]] unsigned clamped(std::size_t size) noexcept {
  return static_cast<unsigned>(
      std::min<std::size_t>(size, std::numeric_limits<unsigned>::max() / 2));
}

class GzipDecoder final : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> create() {
    constexpr int kGzipOnly = 16;
    auto decoder = std::make_unique<GzipDecoder>();
    if (::inflateInit2(&decoder->stream_, MAX_WBITS + kGzipOnly) != Z_OK) return no_memory("gzip");
    return decoder;
  }

  GzipDecoder() = default;
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  ~GzipDecoder() override { ::inflateEnd(&stream_); }

  Result<Step> step(ByteView input, bool /*last*/, MutableBytes output) override {
    // zlib without ZLIB_CONST: it does not write there.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(input.data()));
    stream_.avail_in = clamped(input.size());
    stream_.next_out = reinterpret_cast<Bytef*>(output.data());
    stream_.avail_out = clamped(output.size());
    const Step room{stream_.avail_in, stream_.avail_out};
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      return broken(stream_.msg != nullptr ? stream_.msg : ::zError(status));
    }
    return Step{.taken = room.taken - stream_.avail_in,
                .given = room.given - stream_.avail_out,
                .ended = status == Z_STREAM_END};
  }

 private:
  z_stream stream_{};
};

class Bzip2Decoder final : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> create() {
    auto decoder = std::make_unique<Bzip2Decoder>();
    if (::BZ2_bzDecompressInit(&decoder->stream_, 0, 0) != BZ_OK) return no_memory("bzip2");
    return decoder;
  }

  Bzip2Decoder() = default;
  Bzip2Decoder(const Bzip2Decoder&) = delete;
  Bzip2Decoder& operator=(const Bzip2Decoder&) = delete;

  ~Bzip2Decoder() override { ::BZ2_bzDecompressEnd(&stream_); }

  Result<Step> step(ByteView input, bool /*last*/, MutableBytes output) override {
    stream_.next_in = const_cast<char*>(reinterpret_cast<const char*>(input.data()));
    stream_.avail_in = clamped(input.size());
    stream_.next_out = reinterpret_cast<char*>(output.data());
    stream_.avail_out = clamped(output.size());
    const Step room{stream_.avail_in, stream_.avail_out};
    const int status = ::BZ2_bzDecompress(&stream_);
    if (status == BZ_MEM_ERROR) return no_memory("bzip2");
    if (status != BZ_OK && status != BZ_STREAM_END) return broken("data or its checksum is wrong");
    return Step{.taken = room.taken - stream_.avail_in,
                .given = room.given - stream_.avail_out,
                .ended = status == BZ_STREAM_END};
  }

 private:
  bz_stream stream_{};
};

/// Blocks of one stream (as xz -T0 makes them) are decoded by several threads.
class XzDecoder final : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> create() {
    constexpr std::uint64_t kThreadsMemoryBytes = std::uint64_t{512} << 20;
    auto decoder = std::make_unique<XzDecoder>();
    lzma_mt options{};
    options.threads = std::clamp(::lzma_cputhreads(), 1U, 8U);
    options.memlimit_threading = kThreadsMemoryBytes;
    options.memlimit_stop = kMemoryLimitBytes;
    if (::lzma_stream_decoder_mt(&decoder->stream_, &options) != LZMA_OK) return no_memory("xz");
    return decoder;
  }

  XzDecoder() = default;
  XzDecoder(const XzDecoder&) = delete;
  XzDecoder& operator=(const XzDecoder&) = delete;

  ~XzDecoder() override { ::lzma_end(&stream_); }

  Result<Step> step(ByteView input, bool last, MutableBytes output) override {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(input.data());
    stream_.avail_in = input.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(output.data());
    stream_.avail_out = output.size();
    lzma_ret status = LZMA_OK;
    // Threads that are still at work may need a second call. Without progress it says BUF_ERROR.
    do {
      status = ::lzma_code(&stream_, last ? LZMA_FINISH : LZMA_RUN);
    } while (status == LZMA_OK && stream_.avail_in == input.size() &&
             stream_.avail_out == output.size());
    switch (status) {
      case LZMA_OK:
      case LZMA_STREAM_END:
      case LZMA_BUF_ERROR:
        return Step{.taken = input.size() - stream_.avail_in,
                    .given = output.size() - stream_.avail_out,
                    .ended = status == LZMA_STREAM_END};
      case LZMA_MEM_ERROR:
        return no_memory("xz");
      case LZMA_MEMLIMIT_ERROR:
        return fail(Code::unsupported,
                    fmt::format("it needs {} MiB of memory", ::lzma_memusage(&stream_) >> 20));
      case LZMA_OPTIONS_ERROR:
        return fail(Code::unsupported, "it uses a filter that this liblzma does not know");
      case LZMA_FORMAT_ERROR:
        return broken("its header is wrong");
      default:
        return broken("data or its checksum is wrong");
    }
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

class ZstdDecoder final : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> create() {
    constexpr int kLargestWindowLog = 31;
    auto decoder = std::make_unique<ZstdDecoder>();
    if (decoder->stream_ == nullptr) return no_memory("zstd");
    ::ZSTD_DCtx_setParameter(decoder->stream_, ZSTD_d_windowLogMax, kLargestWindowLog);
    return decoder;
  }

  ZstdDecoder() : stream_(::ZSTD_createDCtx()) {}

  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  ~ZstdDecoder() override { ::ZSTD_freeDCtx(stream_); }

  Result<Step> step(ByteView input, bool /*last*/, MutableBytes output) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{output.data(), output.size(), 0};
    const std::size_t status = ::ZSTD_decompressStream(stream_, &out, &in);
    if (::ZSTD_isError(status) != 0) return broken(::ZSTD_getErrorName(status));
    // 0 only where a frame (or one to be skipped) ends and all of it has been given.
    return Step{.taken = in.pos, .given = out.pos, .ended = status == 0};
  }

 private:
  ZSTD_DCtx* stream_;
};

}  // namespace

Result<std::unique_ptr<Decoder>> make_decoder(Compression kind) {
  switch (kind) {
    case Compression::gzip:
      return GzipDecoder::create();
    case Compression::bzip2:
      return Bzip2Decoder::create();
    case Compression::xz:
      return XzDecoder::create();
    case Compression::zstd:
      return ZstdDecoder::create();
    case Compression::none:
      break;
  }
  return fail(Code::internal, "a decoder for what is not compressed");
}

}  // namespace imprint::image
