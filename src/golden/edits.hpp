#pragma once

#include <deque>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/image/file_systems.hpp"

namespace imprint::golden {

/// What applying a recipe to one base image came to: the shared part as plain writes, so that
/// variants repeat it exactly and without asking the merges again.
struct EditPlan {
  struct Write {
    std::size_t root = 0;
    std::string path;
    ByteView content;  ///< into `recipe` or `merged`
    image::Attributes attributes;
    std::span<const image::ExtendedAttribute> extended_attributes = {};  ///< into `recipe`
    bool superseded = false;  ///< a later write replaces it: repeated, but not checked
  };

  /// A plain path in a partition: what two paths have in common that lead to one file.
  struct Place {
    int partition = 0;
    std::string path;

    friend auto operator<=>(const Place& a, const Place& b) {
      return std::tie(a.partition, a.path) <=> std::tie(b.partition, b.path);
    }
  };

  using Claims = std::map<Place, std::string>;  // to the recipe's path

  Recipe recipe;
  std::vector<Write> writes;
  std::deque<std::string> merged;
  Claims shared_places;
  Claims merged_places;
  std::vector<std::string> notes;
};

/// One copy of a device file in the golden image or a variant.
struct PlacedCopy {
  std::size_t device_file = 0;
  std::size_t root = 0;
  std::string path;
  std::string label;  ///< of the partition
  image::Partition partition;
  image::InodeNumber inode = 0;
  std::uint32_t block_bytes = 0;
  image::Placement placement;

  [[nodiscard]] std::uint64_t blocks_for(std::uint64_t size_bytes) const noexcept {
    return (size_bytes + block_bytes - 1) / block_bytes;
  }
};

/// Applies the shared part of `recipe` for the first time. On failure the file systems are to be
/// thrown away with their canvas.
Result<> plan_edits(image::FileSystems& file_systems, EditPlan& plan);

/// Applies the shared part again, on a fresh canvas of the same base.
Result<> repeat_edits(image::FileSystems& file_systems, const EditPlan& plan);

/// Makes the placeholders, for contents of these sizes: zeros up to the end of the last block.
/// `notes`, if any, gets what is replaced.
Result<std::vector<PlacedCopy>> place_device_files(image::FileSystems& file_systems,
                                                   const EditPlan& plan,
                                                   std::span<const std::uint64_t> sizes,
                                                   std::vector<std::string>* notes);

/// Reads everything back from `image` through volumes of its own: the shared files, and the
/// placeholders where `copies` says they are.
Result<> check_edits(const image::ImageReader& image, const image::Layout& layout,
                     const EditPlan& plan, std::span<const PlacedCopy> copies);

}  // namespace imprint::golden
