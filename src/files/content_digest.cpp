#include "content_digest.hpp"

#include <algorithm>
#include <cstring>

namespace imprint::files {
namespace {

void update(crypto::Sha256& hash, std::uint64_t number) {
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(number >> (8 * i));
  hash.update(bytes);
}

}  // namespace

void ContentDigest::end_block() {
  const bool zeros =
      !touched_ || std::ranges::all_of(block_, [](std::byte byte) { return byte == std::byte{0}; });
  if (!zeros) {
    update(hash_, number_);
    hash_.update(block_);
  }
  if (touched_) std::memset(block_.data(), 0, block_.size());
  touched_ = false;
}

void ContentDigest::add(std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    if (offset / kBlockBytes != number_) {
      end_block();
      number_ = offset / kBlockBytes;
    }
    const auto within = static_cast<std::size_t>(offset % kBlockBytes);
    const std::size_t length = std::min(bytes.size(), kBlockBytes - within);
    std::memcpy(block_.data() + within, bytes.data(), length);
    touched_ = true;
    offset += length;
    bytes = bytes.subspan(length);
  }
}

crypto::Sha256Digest ContentDigest::finish(std::uint64_t size_bytes) {
  end_block();
  update(hash_, size_bytes);
  return hash_.finish();
}

Result<crypto::Sha256Digest> digest_of(const image::Content& content) {
  constexpr std::uint64_t kPieceBytes = 1U << 20;
  const auto ranges = IMPRINT_TRY(content.data_ranges());
  ContentDigest digest;
  crypto::WipedBytes piece;
  for (const image::DataRange& range : ranges) {
    for (std::uint64_t done = 0; done < range.length_bytes; done += piece.size()) {
      piece.resize(static_cast<std::size_t>(std::min(kPieceBytes, range.length_bytes - done)));
      IMPRINT_TRY(content.read(range.offset + done, piece));
      digest.add(range.offset + done, piece);
    }
  }
  return digest.finish(content.size_bytes());
}

Result<crypto::Sha256Digest> digest_of(image::FileSystem& file_system, std::string_view path,
                                       std::uint64_t size_bytes) {
  ContentDigest digest;
  IMPRINT_TRY(file_system.read(path, [&digest](std::uint64_t offset, ByteView bytes) -> Result<> {
    digest.add(offset, bytes);
    return {};
  }));
  return digest.finish(size_bytes);
}

}  // namespace imprint::files
