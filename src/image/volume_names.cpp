// Names in directories.
//
// Adding is the library's (it splits the blocks of an indexed directory), with one more block when
// the directory is full. Switching and removing are done on the entry where it stands. Rejected:
// the library's unlink, which adds record lengths as plain numbers: in a file system with blocks of
// 64 KiB they are coded, and a directory would fall apart.

#include <cstring>
#include <string>

#include "volume_edit.hpp"

namespace imprint::image {
namespace {

struct EntryChange {
  std::string_view name;
  ext2_ino_t to = 0;  ///< 0 empties the entry
  bool done = false;
};

int change_entry(ext2_ino_t /*directory*/, int /*entry_kind*/, ext2_dir_entry* entry,
                 int /*offset*/, int /*block_size*/, char* /*block*/, void* data) {
  auto& change = *static_cast<EntryChange*>(data);
  if (name_of(*entry) != change.name) return 0;
  entry->inode = change.to;  // the file type beside it stays: a regular file replaces one
  if (change.to == 0) {
    std::memset(entry->name, 0, change.name.size());
    ext2fs_dirent_set_name_len(entry, 0);
    ext2fs_dirent_set_file_type(entry, EXT2_FT_UNKNOWN);
  }
  change.done = true;
  return DIRENT_CHANGED | DIRENT_ABORT;
}

[[nodiscard]] Result<> change_name(Volume::Impl& impl, InodeNumber directory, std::string_view name,
                                   InodeNumber to) {
  EntryChange change{.name = name, .to = to};
  IMPRINT_TRY(
      impl.check(ext2fs_dir_iterate2(impl.fs, directory, 0, nullptr, change_entry, &change)));
  if (!change.done) return impl.refuse(Code::internal, "a directory entry has vanished");
  return {};
}

}  // namespace

std::string_view name_of(const ext2_dir_entry& entry) noexcept {
  return {entry.name, static_cast<std::size_t>(ext2fs_dirent_name_len(&entry))};
}

bool is_own_name(std::string_view name) noexcept {
  return name == "." || name == "..";
}

Result<> add_name(Volume::Impl& impl, InodeNumber directory, std::string_view name, InodeNumber to,
                  int file_type) {
  const std::string text(name);
  errcode_t code = ext2fs_link(impl.fs, directory, text.c_str(), to, file_type);
  if (code == EXT2_ET_DIR_NO_SPACE) {
    IMPRINT_TRY(impl.check(ext2fs_expand_dir(impl.fs, directory)));
    code = ext2fs_link(impl.fs, directory, text.c_str(), to, file_type);
  }
  return impl.check(code);
}

Result<> switch_name(Volume::Impl& impl, InodeNumber directory, std::string_view name,
                     InodeNumber to) {
  return change_name(impl, directory, name, to);
}

Result<> remove_name(Volume::Impl& impl, InodeNumber directory, std::string_view name) {
  return change_name(impl, directory, name, 0);
}

}  // namespace imprint::image
