#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/files/changes.hpp"
#include "imprint/files/source.hpp"
#include "imprint/files/wanted.hpp"

namespace imprint::files {

struct CopyOptions {
  bool recursive = false;
  bool preserve = false;  ///< mode, owner, time and extended attributes of the source
  Wanted wanted;          ///< above what is preserved
  Changes::Parents parents = Changes::Parents::must_exist;
};

/// Copies into an image. A destination that is a directory, or ends with a slash, gets the copy
/// under the source's name. In a recursive copy, links stay links and `wanted.mode` is for files.
Result<> copy_in(Changes& changes, Source& source, const std::string& destination,
                 const CopyOptions& options);

/// Copies onto this machine. Everything gets its final name in publish(): a file in the place of an
/// older one, a directory only where nothing is yet. Dropped before, nothing is left behind.
class CopyOut {
 public:
  CopyOut() = default;
  CopyOut(const CopyOut&) = delete;
  CopyOut& operator=(const CopyOut&) = delete;
  ~CopyOut();

  /// A destination that is a directory, or ends with a slash, gets the copy under the source's
  /// name. Everything gets the mode it has in the image.
  Result<> add(Source& source, const fs::path& destination, const CopyOptions& options);
  Result<> publish();

  /// Devices, sockets and pipes, which were left out.
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  struct Directory {
    fs::path temporary;
    fs::path target;
  };

  Result<> add_file(Source& source, const fs::path& target, const CopyOptions& options);
  Result<> add_directory(Source& source, const fs::path& target, const CopyOptions& options);
  Result<> fill(Source& source, const std::string& path, const fs::path& into,
                const CopyOptions& options);

  std::vector<NewFile> files_;
  std::vector<Directory> directories_;
  std::vector<std::string> notes_;
};

}  // namespace imprint::files
