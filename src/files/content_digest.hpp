#pragma once

#include <array>
#include <cstdint>

#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/image/content.hpp"
#include "imprint/image/file_system.hpp"

namespace imprint::files {

/// A digest of what a file reads as, whatever of it is stored as holes: SHA-256 over its size and
/// its blocks of 1 KiB that are not all zeros, each with its number. So the zeros of a sparse file
/// cost nothing.
class ContentDigest {
 public:
  /// Pieces of ascending offset; what is left out is zeros.
  void add(std::uint64_t offset, ByteView bytes);
  [[nodiscard]] crypto::Sha256Digest finish(std::uint64_t size_bytes);

 private:
  static constexpr std::size_t kBlockBytes = 1024;

  void end_block();

  crypto::Sha256 hash_;
  std::uint64_t number_ = 0;  // of the block that is being filled
  crypto::WipedBytes block_ = crypto::WipedBytes(kBlockBytes);
  bool touched_ = false;
};

[[nodiscard]] Result<crypto::Sha256Digest> digest_of(const image::Content& content);
/// Of a file of an image, as it reads back.
[[nodiscard]] Result<crypto::Sha256Digest> digest_of(image::FileSystem& file_system,
                                                     std::string_view path,
                                                     std::uint64_t size_bytes);

}  // namespace imprint::files
