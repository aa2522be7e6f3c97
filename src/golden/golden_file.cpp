#include <algorithm>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/golden/golden.hpp"

namespace imprint::golden {
namespace {

/// Reads the patched places back through a descriptor of its own.
Result<> compare(const fs::path& path, std::uint64_t size_bytes, const image::Patch& patch) {
  const auto image = IMPRINT_TRY(image::FileImage::open(path));
  if (image.size_bytes() != size_bytes) {
    return fail(Code::check_failed,
                fmt::format("golden image {} has {} bytes instead of {}", quoted(path.string()),
                            image.size_bytes(), size_bytes));
  }
  crypto::WipedBytes found;
  for (const image::Write& write : patch.writes) {
    found.resize(write.bytes.size());
    IMPRINT_TRY(image.read(write.offset, found));
    if (!std::ranges::equal(found, write.bytes)) {
      return fail(Code::check_failed,
                  fmt::format("golden image {} does not hold what was written at byte {}: check "
                              "the disk and run again",
                              quoted(path.string()), write.offset));
    }
  }
  return {};
}

}  // namespace

Result<> write_golden_file(const image::FileImage& base, const image::Patch& patch,
                           const fs::path& path) {
  std::error_code ignored;  // whatever is wrong with the place, making the file will say
  if (fs::is_regular_file(fs::symlink_status(path, ignored))) return {};
  // Shared files may be secrets too.
  auto golden = IMPRINT_TRY(NewFile::beside(path, 0600));
  IMPRINT_TRY(image::clone(base.file(), golden.file()));
  IMPRINT_TRY(patch.apply(golden.file()));
  IMPRINT_TRY(golden.file().sync());
  IMPRINT_TRY(compare(golden.temporary_path(), base.size_bytes(), patch));
  IMPRINT_TRY(golden.publish_synced());
  return sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

}  // namespace imprint::golden
