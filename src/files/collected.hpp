#pragma once

#include <cstdint>
#include <map>

#include "imprint/crypto/secret.hpp"
#include "imprint/image/content.hpp"

namespace imprint::files {

/// Content that came in pieces, kept in wiped memory with its holes.
class CollectedContent final : public image::Content {
 public:
  /// Pieces come in ascending order and do not overlap.
  void add(std::uint64_t offset, ByteView bytes);

  void set_size(std::uint64_t size_bytes) noexcept { size_ = size_bytes; }

  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return size_; }

  [[nodiscard]] Result<std::vector<image::DataRange>> data_ranges() const override;
  [[nodiscard]] Result<> read(std::uint64_t offset, MutableBytes into) const override;

 private:
  std::map<std::uint64_t, crypto::WipedBytes> pieces_;
  std::uint64_t size_ = 0;
};

}  // namespace imprint::files
