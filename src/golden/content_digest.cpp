// The content digest: SHA-256 of what a reader of the image would see, not of how the file is
// stored. A hole, a run of zeros on disk and a copy made by any tool give the same digest.
//
// It covers the size, then for every 4 KiB block that is not all zero its offset (8 bytes, little
// endian) and its bytes. Holes are never read; a block of zeros costs a comparison and no hashing.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "imprint/golden/golden.hpp"

namespace imprint::golden {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;
/// Large enough that system calls vanish, small enough to stay in the second-level cache.
constexpr std::uint64_t kReadBytes = std::uint64_t{256} << 10;

std::array<std::byte, 8> little_endian(std::uint64_t value) {
  std::array<std::byte, 8> bytes{};
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(value);
    value >>= 8;
  }
  return bytes;
}

bool all_zero(ByteView bytes) {
  // Every byte equals the one before it, and the first is zero: memcmp does it with vectors.
  return bytes.empty() || (bytes.front() == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

Result<crypto::Sha256Digest> content_digest(const image::FileImage& image) {
  crypto::Sha256 hasher;
  hasher.update(little_endian(image.size_bytes()));
  const auto ranges = IMPRINT_TRY(image::data_ranges(image.file()));
  std::vector<std::byte> buffer(kReadBytes);
  std::uint64_t done = 0;  // two ranges may meet in one block
  for (const image::DataRange& range : ranges) {
    const std::uint64_t end =
        std::min(image.size_bytes(),
                 (range.offset + range.length_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
    std::uint64_t at = std::max(done, range.offset / kBlockBytes * kBlockBytes);
    while (at < end) {
      const auto part =
          MutableBytes(buffer).first(static_cast<std::size_t>(std::min(kReadBytes, end - at)));
      IMPRINT_TRY(image.read(at, part));
      for (std::size_t begin = 0; begin < part.size(); begin += kBlockBytes) {
        const ByteView block =
            part.subspan(begin, std::min<std::size_t>(kBlockBytes, part.size() - begin));
        if (all_zero(block)) continue;
        hasher.update(little_endian(at + begin));
        hasher.update(block);
      }
      at += part.size();
    }
    done = std::max(done, end);
  }
  return hasher.finish();
}

}  // namespace imprint::golden
