#pragma once

#include <cstdint>
#include <map>

#include "imprint/crypto/secret.hpp"
#include "imprint/image/patch.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// An image that can be drawn on without touching it: writes stay in memory (1 KiB chunks, wiped
/// when released), reads see them over the base. All edits of imprint happen on a Canvas; what
/// comes out is a Patch. One thread at a time.
class Canvas final : public ImageReader {
 public:
  /// `base` outlives the canvas.
  explicit Canvas(const ImageReader& base) : base_(base) {}

  Canvas(Canvas&&) noexcept = default;
  /// No copies: `Canvas b(a)` reads like a canvas over `a`. For that, pass `a` as an ImageReader.
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;
  ~Canvas() override = default;

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return base_.size_bytes(); }

  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override;
  /// Beyond the end of the image is Code::corrupt; after a failure part of the bytes may be
  /// written.
  Result<> write(std::uint64_t offset, ByteView bytes);

  [[nodiscard]] const fs::path& path() const noexcept override { return base_.path(); }

  [[nodiscard]] const ImageReader& base() const noexcept { return base_; }

  /// What differs from the base, by byte runs: chunks equal to the base vanish, runs of one
  /// chunk closer than 16 bytes are joined.
  [[nodiscard]] Result<Patch> patch() const;

  /// What differs from `other`, another canvas over the same base: applying it to other's image
  /// gives this one's.
  [[nodiscard]] Result<Patch> patch_from(const Canvas& other) const;

 private:
  static constexpr std::size_t kChunkBytes = 1024;

  [[nodiscard]] std::size_t chunk_size(
      std::uint64_t index) const noexcept;  // the last may be short
  [[nodiscard]] bool contains(std::uint64_t offset, std::size_t size) const noexcept;

  const ImageReader& base_;
  std::map<std::uint64_t, crypto::WipedBytes> chunks_;  // by offset / kChunkBytes
};

}  // namespace imprint::image
