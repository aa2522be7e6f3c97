// A block map against its image: bmaptool's reading of it, and one thing more. bmaptool copies what
// is listed; what is not listed it leaves as it was on the card. So whatever is not listed has to
// be zeros, or the device would not get what is in the image.
//
// The work is cut into pieces that several threads take: each range (its checksum is one number
// from its first to its last byte, so a range cannot be cut), and what lies between ranges, as far
// as it is data in the image file.

#include "imprint/image/bmap_check.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bmap_file.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/image/clone.hpp"

namespace imprint::image {
namespace {

constexpr std::uint64_t kMostFileBytes = 64U << 20;
constexpr std::size_t kBufferBytes = 256U << 10;
constexpr unsigned kMaxThreads = 8;
/// What is between ranges is cut, so that there is work for every thread.
constexpr std::uint64_t kMostGapBytes = 16U << 20;

[[nodiscard]] Unexpected differs(std::string what) {
  return fail(Code::check_failed, std::move(what));
}

[[nodiscard]] Result<crypto::Hash> hash_of_type(std::string_view type) {
  if (type == "sha256") return crypto::Hash(crypto::HashAlgorithm::sha256);
  if (type == "sha384") return crypto::Hash(crypto::HashAlgorithm::sha384);
  if (type == "sha512") return crypto::Hash(crypto::HashAlgorithm::sha512);
  if (type == "sha1") return crypto::Hash::sha1();
  return fail(Code::unsupported,
              fmt::format("its checksums are of type {}; sha1, sha256, sha384 and sha512 can be "
                          "checked",
                          quoted(type)));
}

/// The file's own checksum was made with zeros where it is now; where that is, bmaptool finds by
/// the first place that reads like it.
[[nodiscard]] Result<> check_own_checksum(const BmapFile& bmap, MutableBytes text) {
  crypto::Hash hash = IMPRINT_TRY(hash_of_type(bmap.checksum_type));
  const std::size_t at = text_of(text).find(bmap.checksum);
  if (at == std::string_view::npos) return differs("its own checksum is not written as it is read");
  std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(at), bmap.checksum.size(), std::byte{'0'});
  hash.update(text);
  const std::string is = to_hex(hash.finish());
  if (is == to_lower_ascii(bmap.checksum)) return {};
  return differs(fmt::format("its own checksum is {}, but should be {}: it was changed",
                             quoted(bmap.checksum), is));
}

[[nodiscard]] Result<> check_counts(const BmapFile& bmap, std::uint64_t image_bytes) {
  if (bmap.image_bytes != image_bytes) {
    return differs(fmt::format("it is for an image of {} bytes; this one has {}", bmap.image_bytes,
                               image_bytes));
  }
  if (bmap.block_bytes == 0 || bmap.block_bytes > std::numeric_limits<std::uint32_t>::max())
    return differs(fmt::format("its blocks are of {} bytes, which cannot be", bmap.block_bytes));
  const std::uint64_t blocks =
      image_bytes / bmap.block_bytes + (image_bytes % bmap.block_bytes == 0 ? 0 : 1);
  if (bmap.blocks != blocks) {
    return differs(
        fmt::format("it says that the image has {} blocks; it has {}", bmap.blocks, blocks));
  }
  std::uint64_t next = 0;
  std::uint64_t mapped = 0;
  for (const BmapFile::Range& range : bmap.ranges) {
    if (range.first < next) {
      return differs(
          fmt::format("blocks {} to {} are not behind the range before", range.first, range.last));
    }
    if (range.last >= blocks) {
      return differs(fmt::format("blocks {} to {} reach behind the image, which has {}",
                                 range.first, range.last, blocks));
    }
    next = range.last + 1;
    mapped += next - range.first;
  }
  if (mapped == bmap.mapped_blocks) return {};
  return differs(
      fmt::format("it says that {} blocks are listed; it lists {}", bmap.mapped_blocks, mapped));
}

/// A piece of work: a range, or data between ranges.
struct Piece {
  DataRange bytes;
  const BmapFile::Range* range = nullptr;
};

/// Data of the image file that no range covers. Both are ascending.
void add_gaps(std::vector<Piece>& pieces, const BmapFile& bmap,
              const std::vector<DataRange>& data) {
  const auto add = [&](std::uint64_t begin, std::uint64_t end) {
    for (; begin < end; begin += std::min(kMostGapBytes, end - begin))
      pieces.push_back({.bytes = {begin, std::min(kMostGapBytes, end - begin)}});
  };
  auto range = bmap.ranges.begin();
  for (const DataRange& part : data) {
    std::uint64_t at = part.offset;
    const std::uint64_t end = part.offset + part.length_bytes;
    while (range != bmap.ranges.end() && (range->last + 1) * bmap.block_bytes <= at)
      ++range;
    for (auto next = range; next != bmap.ranges.end() && next->first * bmap.block_bytes < end;
         ++next) {
      add(at, next->first * bmap.block_bytes);
      at = std::max(at, (next->last + 1) * bmap.block_bytes);
    }
    add(at, end);
  }
}

[[nodiscard]] std::vector<Piece> pieces_of(const BmapFile& bmap,
                                           const std::vector<DataRange>& data) {
  std::vector<Piece> pieces;
  pieces.reserve(bmap.ranges.size());
  for (const BmapFile::Range& range : bmap.ranges) {
    const std::uint64_t begin = range.first * bmap.block_bytes;
    // The last block may be a part only.
    const std::uint64_t end = std::min((range.last + 1) * bmap.block_bytes, bmap.image_bytes);
    pieces.push_back({.bytes = {begin, end - begin}, .range = &range});
  }
  add_gaps(pieces, bmap, data);
  return pieces;
}

/// One thread's tools.
class Worker {
 public:
  Worker(const FileImage& image, crypto::Hash hash)
      : image_(image),
        hash_(std::move(hash)),
        buffer_(kBufferBytes) {}

  [[nodiscard]] Result<> check(const Piece& piece) {
    for (std::uint64_t done = 0; done < piece.bytes.length_bytes;) {
      const auto part = MutableBytes(buffer_).first(static_cast<std::size_t>(
          std::min<std::uint64_t>(piece.bytes.length_bytes - done, buffer_.size())));
      IMPRINT_TRY(image_.read(piece.bytes.offset + done, part));
      if (piece.range != nullptr) {
        hash_.update(part);
      } else if (const auto found = std::find_if(part.begin(), part.end(),
                                                 [](std::byte b) { return b != std::byte{0}; });
                 found != part.end()) {
        return differs(fmt::format(
            "byte {} of the image is in no block that it lists, but not zero",
            piece.bytes.offset + done + static_cast<std::uint64_t>(found - part.begin())));
      }
      done += part.size();
    }
    if (piece.range == nullptr) return {};
    const std::string is = to_hex(hash_.finish());
    if (is == piece.range->checksum) return {};
    return differs(fmt::format("blocks {} to {} of the image have the checksum {}, not {}",
                               piece.range->first, piece.range->last, is,
                               quoted(piece.range->checksum)));
  }

 private:
  const FileImage& image_;
  crypto::Hash hash_;
  Bytes buffer_;
};

/// The first difference, whatever thread finds it.
[[nodiscard]] Result<> check_pieces(const FileImage& image, const BmapFile& bmap,
                                    const std::vector<Piece>& pieces) {
  std::vector<std::optional<Error>> errors(pieces.size());
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1U, kMaxThreads);
  std::vector<Worker> workers;
  for (unsigned i = 0; i < threads; ++i)
    workers.emplace_back(image, IMPRINT_TRY(hash_of_type(bmap.checksum_type)));
  std::atomic<std::size_t> next = 0;
  const auto work = [&](Worker& worker) {
    for (std::size_t i = next++; i < pieces.size(); i = next++) {
      if (Result<> checked = worker.check(pieces[i]); !checked) {
        errors[i] = std::move(checked).error();
        next = pieces.size();  // the rest is not wanted any more
        return;
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    try {
      for (std::size_t i = 1; i < workers.size() && i < pieces.size(); ++i)
        helpers.emplace_back(work, std::ref(workers[i]));
    } catch (const std::system_error&) {
      // The system gives no more threads: those that are there do it.
    }
    work(workers.front());
  }
  for (std::optional<Error>& error : errors) {
    if (error) return fail(std::move(*error));
  }
  return {};
}

[[nodiscard]] Result<> check_text(const FileImage& image, Bytes text) {
  const BmapFile bmap = IMPRINT_TRY(parse_bmap(text_of(text)));
  IMPRINT_TRY(check_own_checksum(bmap, text));
  IMPRINT_TRY(check_counts(bmap, image.size_bytes()));
  const std::vector<DataRange> data = IMPRINT_TRY(data_ranges(image.file()));
  return check_pieces(image, bmap, pieces_of(bmap, data));
}

}  // namespace

Result<> check_bmap(const FileImage& image, const fs::path& bmap) {
  Bytes text = IMPRINT_TRY(read_file(bmap, kMostFileBytes));
  return check_text(image, std::move(text))
      .context(
          fmt::format("block map {} of {}", quoted(bmap.native()), quoted(image.path().native())));
}

}  // namespace imprint::image
