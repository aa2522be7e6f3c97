#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fat_directory.hpp"
#include "fat_geometry.hpp"
#include "fat_table.hpp"
#include "imprint/base/result.hpp"
#include "imprint/image/content.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::image {

/// A FAT file system as it lies in an image, read only. Own code, because what mtools prints has
/// times to the minute and no clusters, and because reading then needs neither a copy nor a
/// process. Paths are those of FileSystem. The image outlives it.
class FatReader {
 public:
  static Result<FatReader> open(const ImageReader& image, const Partition& partition);

  [[nodiscard]] const FatGeometry& geometry() const noexcept { return geometry_; }

  [[nodiscard]] const FatTable& table() const noexcept { return table_; }

  /// Bytes from the file system's beginning.
  Result<> read_raw(std::uint64_t offset, MutableBytes into) const;

  [[nodiscard]] Result<FatDirectory> directory(Cluster first_cluster) const;

  [[nodiscard]] Result<FatDirectory> root() const { return directory(geometry_.root_cluster); }

  /// None when there is no such name; the root directory has no entry: ask is_root().
  [[nodiscard]] Result<std::optional<FatEntry>> find(std::string_view path) const;
  /// Code::not_found, and Code::invalid_input when it is a file.
  [[nodiscard]] Result<FatDirectory> directory_at(std::string_view path) const;
  [[nodiscard]] Result<> read_file(const FatEntry& file, const ContentSink& sink) const;
  [[nodiscard]] Result<std::vector<Cluster>> chain_of(const FatEntry& file) const;

  /// The file allocation table again, after it has changed.
  Result<> reload();

  /// Walks through all directories: what an edit relies on. Code::corrupt when two names share
  /// clusters, a chain is broken or the FATs differ.
  struct Inventory {
    std::vector<Cluster> directory_clusters;
    TimePoint newest;  ///< the latest time of modification
  };

  [[nodiscard]] Result<Inventory> check() const;
  /// Code::corrupt when the directories are no tree: one that is inside itself, or has two names,
  /// would lead whoever walks through them round and round.
  [[nodiscard]] Result<> check_directories() const;

 private:
  FatReader(const ImageReader& image, const Partition& partition, const FatGeometry& geometry,
            FatTable table)
      : image_(&image),
        offset_(partition.offset_bytes),
        geometry_(geometry),
        table_(std::move(table)) {}

  [[nodiscard]] static Result<FatTable> load(const ImageReader& image, std::uint64_t offset,
                                             const FatGeometry& geometry, std::uint32_t number);

  const ImageReader* image_;
  std::uint64_t offset_;
  FatGeometry geometry_;
  FatTable table_;
};

/// The names of a path, from the root; empty for `/`.
[[nodiscard]] std::vector<std::string_view> names_of(std::string_view path);

}  // namespace imprint::image
