// A .bmap says which blocks of an image carry data, with one SHA-256 per range, so that a flasher
// writes and verifies those alone. Images of one batch differ in a handful of blocks; hashing
// gigabytes for each would cost more than making the image. So the ranges are cut at the blocks
// that devices may write:
//
//   golden:   |#################################|          |######|      data, holes
//   touched:            |==|          |=|                                the blocks of inodes, key,
//   ... ranges:   |---A----||a |----B----||b|---C---|          |--D---|
//
// A, B, C, D are hashed once, in parallel; they and all the XML around are constant text. What is
// left per device is to hash a and b, and the finished text (a few KB) for BmapFileChecksum, which
// is the SHA-256 of the file with that field as 64 zeros.

#include "imprint/image/bmap.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::image {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::size_t kHashBufferBytes = 256U << 10;
/// Longer ranges are cut, so that there is work for every thread: 16 MiB.
constexpr std::uint64_t kMaxRangeBlocks = (16U << 20) / kBlockBytes;
constexpr unsigned kMaxThreads = 8;

/// Blocks from `first` up to, not including, `end`.
struct BlockRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

using BlockRanges = std::vector<BlockRange>;

/// The blocks that these bytes lie in, ascending, disjoint, none adjacent.
[[nodiscard]] BlockRanges blocks_of(std::span<const DataRange> ranges) {
  BlockRanges blocks;
  for (const DataRange& range : ranges) {
    if (range.length_bytes == 0) continue;
    blocks.push_back(BlockRange{range.offset / kBlockBytes,
                                (range.offset + range.length_bytes - 1) / kBlockBytes + 1});
  }
  std::sort(blocks.begin(), blocks.end(),
            [](const BlockRange& a, const BlockRange& b) { return a.first < b.first; });
  BlockRanges merged;
  for (const BlockRange& range : blocks) {
    if (!merged.empty() && range.first <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

/// A range of the map: constant (its digest is known from the start), or touched.
struct Entry {
  BlockRange blocks;
  bool touched = false;
};

/// `mapped` cut at `touched` (which it contains), in ascending order.
[[nodiscard]] std::vector<Entry> cut(const BlockRanges& mapped, const BlockRanges& touched) {
  std::vector<Entry> entries;
  const auto add_constant = [&](std::uint64_t first, std::uint64_t end) {
    for (; first < end; first += kMaxRangeBlocks) {
      entries.push_back(Entry{{first, std::min(end, first + kMaxRangeBlocks)}, false});
    }
  };
  auto next = touched.begin();
  for (const BlockRange& range : mapped) {
    std::uint64_t position = range.first;
    for (; next != touched.end() && next->end <= range.end; ++next) {
      add_constant(position, next->first);
      entries.push_back(Entry{*next, true});
      position = next->end;
    }
    add_constant(position, range.end);
  }
  return entries;
}

/// Bytes of a range inside an image of this size: the last block may be a part only.
[[nodiscard]] DataRange bytes_of_blocks(BlockRange blocks, std::uint64_t image_bytes) noexcept {
  const std::uint64_t offset = blocks.first * kBlockBytes;
  return DataRange{offset, std::min(blocks.end * kBlockBytes, image_bytes) - offset};
}

Result<crypto::Sha256Digest> hash_range(const FileImage& image, DataRange range,
                                        crypto::Sha256& hash, MutableBytes buffer) {
  while (range.length_bytes > 0) {
    const auto part = buffer.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(range.length_bytes, buffer.size())));
    IMPRINT_TRY(image.read(range.offset, part));
    hash.update(part);
    range.offset += part.size();
    range.length_bytes -= part.size();
  }
  return hash.finish();
}

/// Digests of the constant entries, by index (those of touched ones stay empty). The order in which
/// threads take ranges does not show in the result.
Result<std::vector<crypto::Sha256Digest>> hash_constants(const FileImage& image,
                                                         const std::vector<Entry>& entries) {
  std::vector<crypto::Sha256Digest> digests(entries.size());
  std::vector<std::optional<Error>> errors(entries.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    crypto::Sha256 hash;
    Bytes buffer(kHashBufferBytes);
    for (std::size_t i = next++; i < entries.size(); i = next++) {
      if (entries[i].touched) continue;
      auto digest =
          hash_range(image, bytes_of_blocks(entries[i].blocks, image.size_bytes()), hash, buffer);
      if (!digest) {
        errors[i] = std::move(digest).error();
        next = entries.size();  // the rest is not wanted any more
        return;
      }
      digests[i] = *digest;
    }
  };
  {
    const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1U, kMaxThreads);
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < threads; ++i)
      helpers.emplace_back(work);
    work();
  }
  for (std::optional<Error>& error : errors) {
    if (error) return fail(std::move(*error));
  }
  return digests;
}

constexpr std::string_view kZeroChecksum =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// A run of touched blocks: where it lies in the image and where its golden bytes lie in `golden`.
struct TouchedRun {
  DataRange image;
  std::size_t golden_offset = 0;
};

}  // namespace

struct BmapTemplate::Impl {
  /// Constant text: before the file's checksum, then between the digests of the touched runs.
  std::vector<std::string> pieces;
  std::vector<TouchedRun> touched;  ///< ascending
  Bytes golden;                     ///< what the golden image has in the touched blocks

  /// The run that holds all of the bytes, or none.
  [[nodiscard]] const TouchedRun* run_of(std::uint64_t offset, std::size_t size) const noexcept {
    const auto after = std::upper_bound(
        touched.begin(), touched.end(), offset,
        [](std::uint64_t value, const TouchedRun& run) { return value < run.image.offset; });
    if (after == touched.begin()) return nullptr;
    const TouchedRun& run = *(after - 1);
    const std::uint64_t inside = offset - run.image.offset;
    if (inside > run.image.length_bytes || size > run.image.length_bytes - inside) return nullptr;
    return &run;
  }
};

namespace {

[[nodiscard]] std::string header_text(std::uint64_t image_bytes,
                                      const std::vector<Entry>& entries) {
  std::uint64_t mapped = 0;
  for (const Entry& entry : entries)
    mapped += entry.blocks.end - entry.blocks.first;
  return fmt::format(
      "<?xml version=\"1.0\" ?>\n"
      "<!-- Block map of a disk image, made by imprint. Blocks that are not listed need not be "
      "written. -->\n"
      "<bmap version=\"2.0\">\n"
      "    <ImageSize> {} </ImageSize>\n"
      "    <BlockSize> {} </BlockSize>\n"
      "    <BlocksCount> {} </BlocksCount>\n"
      "    <MappedBlocksCount> {} </MappedBlocksCount>\n"
      "    <ChecksumType> sha256 </ChecksumType>\n"
      "    <BmapFileChecksum> ",
      image_bytes, kBlockBytes, (image_bytes + kBlockBytes - 1) / kBlockBytes, mapped);
}

[[nodiscard]] std::string range_end(BlockRange blocks) {
  if (blocks.end - blocks.first == 1) return fmt::format("\"> {} </Range>\n", blocks.first);
  return fmt::format("\"> {}-{} </Range>\n", blocks.first, blocks.end - 1);
}

/// The text around what differs per device.
[[nodiscard]] std::vector<std::string> compile(std::uint64_t image_bytes,
                                               const std::vector<Entry>& entries,
                                               const std::vector<crypto::Sha256Digest>& digests) {
  std::vector<std::string> pieces = {header_text(image_bytes, entries),
                                     " </BmapFileChecksum>\n    <BlockMap>\n"};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    pieces.back() += "        <Range chksum=\"";
    if (entries[i].touched) {
      pieces.emplace_back();
    } else {
      pieces.back() += to_hex(digests[i]);
    }
    pieces.back() += range_end(entries[i].blocks);
  }
  pieces.back() += "    </BlockMap>\n</bmap>\n";
  return pieces;
}

}  // namespace

BmapTemplate::BmapTemplate(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}

BmapTemplate::~BmapTemplate() = default;

Result<std::shared_ptr<const BmapTemplate>> BmapTemplate::build(
    const FileImage& golden, std::span<const DataRange> touched,
    std::span<const DataRange> content) {
  std::vector<DataRange> mapped = IMPRINT_TRY(data_ranges(golden.file()));
  mapped.insert(mapped.end(), touched.begin(), touched.end());
  mapped.insert(mapped.end(), content.begin(), content.end());
  for (const DataRange& range : mapped) {
    if (range.offset > golden.size_bytes() ||
        range.length_bytes > golden.size_bytes() - range.offset) {
      return fail(Code::internal,
                  fmt::format("a block map of {} was asked for bytes beyond its end",
                              quoted(golden.path().native())));
    }
  }
  const std::vector<Entry> entries = cut(blocks_of(mapped), blocks_of(touched));
  const auto digests = IMPRINT_TRY(hash_constants(golden, entries));

  auto impl = std::make_unique<Impl>();
  impl->pieces = compile(golden.size_bytes(), entries, digests);
  for (const Entry& entry : entries) {
    if (!entry.touched) continue;
    const TouchedRun run{bytes_of_blocks(entry.blocks, golden.size_bytes()), impl->golden.size()};
    impl->golden.resize(run.golden_offset + static_cast<std::size_t>(run.image.length_bytes));
    IMPRINT_TRY(
        golden.read(run.image.offset, MutableBytes(impl->golden).subspan(run.golden_offset)));
    impl->touched.push_back(run);
  }
  return std::shared_ptr<const BmapTemplate>(new BmapTemplate(std::move(impl)));
}

Result<std::string> BmapTemplate::finish(std::span<const DeviceWrite> writes) const {
  // The device's blocks hold its key: the copy is wiped.
  crypto::WipedBytes blocks(impl_->golden.begin(), impl_->golden.end());
  for (const DeviceWrite& write : writes) {
    if (write.bytes.empty()) continue;
    const TouchedRun* run = impl_->run_of(write.offset, write.bytes.size());
    if (run == nullptr) {
      return fail(
          Code::internal,
          fmt::format("a write of {} bytes at {} lies outside the blocks that the block map "
                      "expects to change",
                      write.bytes.size(), write.offset));
    }
    const auto inside = static_cast<std::size_t>(write.offset - run->image.offset);
    std::copy(write.bytes.begin(), write.bytes.end(),
              blocks.begin() + static_cast<std::ptrdiff_t>(run->golden_offset + inside));
  }

  crypto::Sha256 hash;
  std::string text = impl_->pieces[0];
  const std::size_t checksum_at = text.size();
  text += kZeroChecksum;
  text += impl_->pieces[1];
  for (std::size_t i = 0; i < impl_->touched.size(); ++i) {
    const TouchedRun& run = impl_->touched[i];
    hash.update(ByteView(blocks).subspan(run.golden_offset,
                                         static_cast<std::size_t>(run.image.length_bytes)));
    text += to_hex(hash.finish());
    text += impl_->pieces[i + 2];
  }
  text.replace(checksum_at, kZeroChecksum.size(), to_hex(crypto::sha256(bytes_of(text))));
  return text;
}

}  // namespace imprint::image
