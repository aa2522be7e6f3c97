#pragma once

#include <cstdint>
#include <vector>

#include "fat_geometry.hpp"
#include "imprint/base/bytes.hpp"
#include "imprint/base/result.hpp"

namespace imprint::image {

/// The file allocation table: for each cluster whether it is free, and else which one comes after
/// it. Plain data.
class FatTable {
 public:
  /// geometry.fat_bytes() bytes.
  FatTable(const FatGeometry& geometry, Bytes bytes)
      : geometry_(geometry),
        bytes_(std::move(bytes)) {}

  [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

  [[nodiscard]] bool is_free(Cluster cluster) const noexcept { return entry(cluster) == 0; }

  /// Counts no further than `enough`.
  [[nodiscard]] std::uint64_t free_clusters(std::uint64_t enough) const noexcept;

  /// A part of the table that differs in another version of it.
  struct Change {
    std::size_t offset = 0;
    ByteView bytes;              ///< of the other version, as long as that is
    std::vector<Cluster> taken;  ///< no longer free
    std::vector<Cluster> freed;
  };

  [[nodiscard]] std::vector<Change> changes_to(const FatTable& after) const;

  /// All clusters from this one on, in their order. Code::corrupt when the chain runs in a circle,
  /// into a free or a bad cluster or out of the file system, or is longer than `limit`.
  [[nodiscard]] Result<std::vector<Cluster>> chain(Cluster first, std::uint64_t limit) const;

 private:
  [[nodiscard]] std::uint32_t entry(Cluster cluster) const noexcept;
  [[nodiscard]] bool ends(std::uint32_t entry) const noexcept;

  /// Whole entries of each type, and of two of FAT12.
  static constexpr std::size_t kBlockBytes = 3072;

  FatGeometry geometry_;
  Bytes bytes_;
};

}  // namespace imprint::image
