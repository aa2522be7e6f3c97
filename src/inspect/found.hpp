#pragma once

#include <optional>
#include <string>
#include <vector>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"
#include "imprint/crypto/examine.hpp"
#include "imprint/inspect/inspect.hpp"

namespace imprint::inspect {

/// One object, where it was found.
struct Found {
  std::string file;    ///< as it is to be shown: `ca/ca-cert.pem`, `unit.sdimg:/data/...`
  std::string folder;  ///< that it lies in, for what belongs together
  std::size_t number = 1;
  std::size_t of = 1;  ///< so many objects are in the file
  unsigned mode = 0;   ///< permission bits; of no meaning on file systems without
  crypto::FileObject object;

  [[nodiscard]] std::string place() const;
};

/// What was found everywhere, before it is explained.
struct Findings {
  std::vector<Entry> images;
  std::vector<Entry> unreadable;
  std::vector<Found> objects;
};

/// Adds the objects of a file's content; how many there were.
std::size_t add_objects(Findings& findings, const std::string& file, const std::string& folder,
                        unsigned mode, ByteView content);

/// Adds an image and what its configuration names.
Result<> add_image(Findings& findings, files::ImageView& view);

/// Adds a file or folder of this machine.
Result<> add_path(Findings& findings, const fs::path& path, const Options& options);

/// Says of each object what it is, and how it belongs to the others.
[[nodiscard]] std::vector<Entry> explain(const std::vector<Found>& objects, TimePoint now);

}  // namespace imprint::inspect
