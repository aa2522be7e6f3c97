#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "imprint/base/result.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/golden/overlay.hpp"
#include "imprint/golden/recipe.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/patch.hpp"
#include "imprint/image/reader.hpp"

namespace imprint::golden {

/// SHA-256 that names an image by its content, whatever is stored as holes: over the size and every
/// (offset, 4 KiB block) that is not all zero.
[[nodiscard]] Result<crypto::Sha256Digest> content_digest(const image::FileImage& image);

/// The plan of a golden image: base image + patch, and where every device file lives. A pure
/// function of base image and recipe (time stamps are the base file systems' own last-written
/// times), so a rerun finds the same golden image again. Immutable for its users; all const members
/// are thread-safe.
class Golden {
 public:
  struct Impl;

  /// Applies the recipe on a Canvas over `base` (which outlives the Golden), opens the result again
  /// and checks that every file is there with the intended content, mode and owner. The base image
  /// is not written.
  static Result<Golden> build(const image::FileImage& base, const image::Layout& layout,
                              Recipe recipe);
  Golden(Golden&&) noexcept;
  Golden& operator=(Golden&&) noexcept;
  Golden(const Golden&) = delete;
  Golden& operator=(const Golden&) = delete;
  ~Golden();

  /// Base image -> golden image.
  [[nodiscard]] const image::Patch& patch() const noexcept;
  /// What a person should know: "rootfs B (partition 3) has no /etc/mender: left alone".
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept;

  /// Device paths and the partition each went to, for the plan's display and for checks: one entry
  /// per copy.
  struct PlacedFile {
    std::size_t device_file = 0;  ///< index into Recipe::device_files
    std::string path;
    int partition = 0;
  };

  [[nodiscard]] std::vector<PlacedFile> placed_files() const;

  /// The files that are the same on all devices, merged ones last: one entry per copy, by
  /// partition.
  struct SharedCopy {
    std::string path;
    int partition = 0;
  };

  [[nodiscard]] std::vector<SharedCopy> shared_files() const;

  /// The overlay for one device: `contents[i]` is the content of Recipe::device_files[i] (not
  /// empty). A size that needs another number of blocks than the golden image reserved uses a
  /// variant, planned once per distinct combination and kept (thread-safe); its overlay is a few KB
  /// larger. Code::image_full when the variant does not fit. Cost on the usual path: a few
  /// microseconds, no allocation, no file system handle.
  Result<> make_overlay(std::span<const ByteView> contents, Overlay& into) const;

  /// Reads the device files back out of an overlay by another path than make_overlay wrote it:
  /// decodes the on-disk inode found in the overlay (size, extent tree or block map, its own
  /// checksum arithmetic) and compares size, mode, owner and content. Code::check_failed names the
  /// path and what differs.
  Result<> check_overlay(std::span<const ByteView> contents, const Overlay& overlay) const;

  /// The thorough way: opens golden + overlay with libext2fs and reads the files by their paths. ~1
  /// ms.
  Result<> check_overlay_by_path(std::span<const ByteView> contents, const Overlay& overlay) const;

  /// Byte ranges that overlays of the nominal layout write: where to cut a bmap.
  [[nodiscard]] std::vector<image::DataRange> touched() const;
  /// The same for the variant that these contents need; equal to touched() for the nominal one.
  [[nodiscard]] Result<std::vector<image::DataRange>> touched_by(
      std::span<const ByteView> contents) const;

 private:
  explicit Golden(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Makes the golden image file: clone of the base, patch, sync, opened again and compared with the
/// patch, renamed to `path`, directory synced. An existing file there is taken as it is (its name
/// carries the digest and it appeared only when whole).
Result<> write_golden_file(const image::FileImage& base, const image::Patch& patch,
                           const fs::path& path);

}  // namespace imprint::golden
