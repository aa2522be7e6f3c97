#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "imprint/golden/device_image.hpp"
#include "imprint/golden/store.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/image/reader.hpp"
#include "imprint/ledger/ledger.hpp"
#include "imprint/verify/verify.hpp"

namespace imprint::verify {

/// An overlay store with what all its devices share.
struct OpenStore {
  OpenStore(fs::path where, golden::OverlayStore opened, image::FileImage base_image,
            image::Layout base_layout)
      : path(std::move(where)),
        store(std::move(opened)),
        base(std::move(base_image)),
        layout(std::move(base_layout)) {}

  fs::path path;
  golden::OverlayStore store;
  image::FileImage base;
  image::Layout layout;
  std::mutex mutex;  ///< over `store`
};

/// One image to be checked.
struct Target {
  std::string shown;           ///< as verdicts name it
  fs::path path;               ///< of the file; of a device in a store, of the store
  std::string image_name;      ///< file name that the device's image has, or would have
  std::string id;              ///< in a store
  OpenStore* store = nullptr;  ///< none: a file
  const ledger::Ledger* ledger = nullptr;
};

/// What the places that a user named come to, with everything opened that their images share.
class Targets {
 public:
  /// A directory's images are its files but for those that a batch leaves beside them
  /// (docs/output.md), hidden ones and block maps.
  static Result<Targets> find(const std::vector<fs::path>& places, const Request& request);

  [[nodiscard]] const std::vector<Target>& all() const noexcept { return all_; }

 private:
  Result<> add(const fs::path& place, const Request& request);
  Result<> add_directory(const fs::path& directory, const Request& request);
  Result<> add_store(const fs::path& path, const Request& request);
  /// The request's ledger, else that in the directory; null when there is none.
  Result<const ledger::Ledger*> ledger_for(const fs::path& directory, const Request& request);
  Result<const ledger::Ledger*> open_ledger(const fs::path& path);
  /// Adds a file unless it is there under another name: it would share its key with itself.
  void add_file(const fs::path& path, const ledger::Ledger* ledger);

  std::vector<Target> all_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> files_;  ///< device and inode
  std::vector<std::unique_ptr<OpenStore>> stores_;
  std::vector<std::pair<fs::path, std::unique_ptr<ledger::Ledger>>> ledgers_;
};

}  // namespace imprint::verify
