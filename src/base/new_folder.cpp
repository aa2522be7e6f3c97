#include "imprint/base/new_folder.hpp"

namespace imprint {

// In cleanup the first error is the one that counts, so these are ignored.
NewFolder::~NewFolder() {
  if (kept_) return;
  for (const fs::path& path : written_)
    (void)remove_file(path);
  std::error_code ignored;
  if (made_directory_) fs::remove(directory_, ignored);
}

Result<> NewFolder::open(unsigned mode) {
  std::error_code ignored;
  made_directory_ = !fs::exists(directory_, ignored);
  return make_directories(directory_, mode);
}

Result<> NewFolder::write(const fs::path& path, ByteView content, unsigned mode) {
  File file = IMPRINT_TRY(File::create_new(path, mode));
  written_.push_back(path);
  IMPRINT_TRY(file.write_all(0, content));
  IMPRINT_TRY(file.sync());
  return file.close();
}

Result<> NewFolder::keep() {
  IMPRINT_TRY(sync_directory(directory_));
  kept_ = true;
  return {};
}

}  // namespace imprint
