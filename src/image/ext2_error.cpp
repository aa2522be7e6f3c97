#include "ext2_error.hpp"

#include <mutex>
#include <new>
#include <string>

#include <et/com_err.h>

namespace imprint::image {
namespace {

/// Below this, an errcode_t is an errno.
constexpr errcode_t kFirstTableCode = 4096;

[[nodiscard]] std::string text_of_code(errcode_t code) {
  static std::once_flag once;  // the table goes into a list of the library's that has no lock
  std::call_once(once, [] { initialize_ext2_error_table(); });
  return error_message(code);
}

}  // namespace

Error ext2_error(errcode_t code) {
  if (code == EXT2_ET_NO_MEMORY || code == ENOMEM) throw std::bad_alloc();
  if (code < kFirstTableCode) {
    return system_error("the file system library", static_cast<int>(code));
  }
  switch (code) {
    case EXT2_ET_BLOCK_ALLOC_FAIL:
      return {Code::image_full, "no free blocks are left in the file system"};
    case EXT2_ET_INODE_ALLOC_FAIL:
      return {Code::image_full, "no free inodes are left in the file system"};
    case EXT2_ET_DIR_NO_SPACE:
      return {Code::image_full, "the directory cannot hold another name"};
    case EXT2_ET_UNIMPLEMENTED:
    case EXT2_ET_UNSUPP_FEATURE:
    case EXT2_ET_RO_UNSUPP_FEATURE:
    case EXT2_ET_REV_TOO_HIGH:
    case EXT2_ET_FILE_TOO_BIG:
      return {Code::unsupported, text_of_code(code)};
    case EXT2_ET_RO_FILSYS:
      return {Code::internal, "the file system was opened for reading only"};
    case EXT2_ET_BAD_MAGIC:
      return {Code::corrupt, "there is no ext2, ext3 or ext4 file system (bad magic number)"};
    case EXT2_ET_NO_DIRECTORY:
      return {Code::invalid_input, "not a directory"};
    default:
      return {Code::corrupt,
              text_of_code(code) + "; repair the file system with 'e2fsck -f' and try again"};
  }
}

}  // namespace imprint::image
