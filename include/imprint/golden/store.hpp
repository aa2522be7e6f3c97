#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/golden/overlay.hpp"
#include "imprint/image/patch.hpp"

namespace imprint::golden {

/// What all overlays of a store need to become images.
struct StoreHeader {
  std::string base_path;  ///< absolute
  std::uint64_t base_size_bytes = 0;
  crypto::Sha256Digest base_digest{};    ///< content_digest of the base image
  crypto::Sha256Digest golden_digest{};  ///< names the golden image
  image::Patch golden_patch;
  bool bmap = false;  ///< materialize writes a .bmap beside the image
};

/// The overlay store: one SQLite file per batch (0600: it holds the private keys) from which any
/// device's image can be made later. One writer at a time; methods are not thread-safe.
class OverlayStore {
 public:
  struct Impl;

  /// Creates the store, or opens an existing one if its golden digest is the same; otherwise
  /// Code::exists saying that the store was made from another base image or manifest.
  static Result<OverlayStore> open_or_create(const fs::path& path, const StoreHeader& header);
  /// For reading; refuses a file that is no overlay store or a newer version.
  static Result<OverlayStore> open(const fs::path& path);
  OverlayStore(OverlayStore&&) noexcept;
  OverlayStore& operator=(OverlayStore&&) noexcept;
  OverlayStore(const OverlayStore&) = delete;
  OverlayStore& operator=(const OverlayStore&) = delete;
  ~OverlayStore();

  [[nodiscard]] const StoreHeader& header() const noexcept;

  struct Item {
    std::string_view device_id;
    std::string_view image_name;  ///< file name the image sink would have used
    ByteView serialized;          ///< Overlay::serialize
  };

  /// All items in one durable transaction; an item of a device that is there already replaces it
  /// (its identity was superseded).
  Result<> put(std::span<const Item> items);

  struct Entry {
    std::string image_name;
    crypto::SecretBytes serialized;
  };

  /// Code::not_found names the id and the nearest known one.
  [[nodiscard]] Result<Entry> get(std::string_view device_id) const;
  [[nodiscard]] Result<std::uint64_t> count() const;
  /// Ids in the order they were stored.
  Result<> for_each_id(
      const std::function<void(std::string_view id, std::string_view image_name)>& visit) const;

 private:
  explicit OverlayStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Once, before anybody in this process opens a database: memory that SQLite gives back is wiped
/// from then on, because a store's pages hold keys. False when it was too late.
bool wipe_database_memory() noexcept;

}  // namespace imprint::golden
