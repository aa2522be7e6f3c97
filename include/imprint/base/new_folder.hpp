#pragma once

#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint {

/// Files that belong together, in a folder that may be new too: all of them, or none. What it has
/// made goes again unless kept; what was there before is never touched.
class NewFolder {
 public:
  explicit NewFolder(fs::path directory) : directory_(std::move(directory)) {}

  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder();

  /// Makes the folder with this mode when it is missing.
  Result<> open(unsigned mode);
  /// Code::exists when there is such a file: O_EXCL from birth, so what another process puts there
  /// in between is not overwritten either. Synced when this returns.
  Result<> write(const fs::path& path, ByteView content, unsigned mode);
  /// Everything stays, and is durable.
  Result<> keep();

 private:
  fs::path directory_;
  std::vector<fs::path> written_;
  bool made_directory_ = false;
  bool kept_ = false;
};

}  // namespace imprint
