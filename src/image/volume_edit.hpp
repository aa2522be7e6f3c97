#pragma once

#include <cstdint>
#include <string_view>

#include "imprint/base/result.hpp"
#include "imprint/image/volume.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

/// While it lives, a failure leaves the canvas in no defined state: commit() will refuse.
class HalfDone {
 public:
  explicit HalfDone(Volume::Impl& impl) : impl_(impl) { impl_.broken = true; }

  HalfDone(const HalfDone&) = delete;
  HalfDone& operator=(const HalfDone&) = delete;

  ~HalfDone() { impl_.broken = !finished_; }

  void finished() noexcept { finished_ = true; }

 private:
  Volume::Impl& impl_;
  bool finished_ = false;
};

// Asked before anything is touched.

[[nodiscard]] Result<> check_editable(const Volume::Impl& impl);
[[nodiscard]] Result<> check_name(const Volume::Impl& impl, std::string_view name);
/// For a new inode and this many blocks.
[[nodiscard]] Result<> check_room(const Volume::Impl& impl, blk64_t blocks, std::string_view name);
/// That names can be looked up in what this inode is.
[[nodiscard]] Result<> check_directory(Volume::Impl& impl, InodeNumber directory);
/// That a name can be added there, replaced or taken away.
[[nodiscard]] Result<> check_parent(Volume::Impl& impl, InodeNumber parent);

// The pieces that edits are made of.

/// i_mode of a file type and permission bits.
[[nodiscard]] std::uint16_t mode_of(unsigned type, unsigned mode);
void set_owner(ext2_inode& inode, unsigned uid, unsigned gid);
/// Owner and times of a new node.
void set_attributes(const Volume::Impl& impl, FullInode& inode, const Attributes& attributes);
/// The project that a node belongs to.
void copy_project(const Volume::Impl& impl, FullInode& from, FullInode& to);
/// What a new node has of the directory that it is made in: its project, where that is handed on.
[[nodiscard]] Result<> inherit_project(Volume::Impl& impl, InodeNumber parent, FullInode& inode);
[[nodiscard]] Result<> touch_directory(Volume::Impl& impl, InodeNumber directory);

/// A new inode of this type (LINUX_S_IF...), in use, without blocks, of no name yet.
[[nodiscard]] Result<InodeNumber> new_inode(Volume::Impl& impl, InodeNumber parent, unsigned type,
                                            std::uint64_t size_bytes, const Attributes& attributes);

[[nodiscard]] std::string_view name_of(const ext2_dir_entry& entry) noexcept;
/// `.` and `..`. By name: of an inline directory the library does not say which entry is which.
[[nodiscard]] bool is_own_name(std::string_view name) noexcept;

/// Adds a name that is not there. `file_type` is one of EXT2_FT_...
[[nodiscard]] Result<> add_name(Volume::Impl& impl, InodeNumber directory, std::string_view name,
                                InodeNumber to, int file_type);
/// Makes a name that is there mean another inode of the same type.
[[nodiscard]] Result<> switch_name(Volume::Impl& impl, InodeNumber directory, std::string_view name,
                                   InodeNumber to);
[[nodiscard]] Result<> remove_name(Volume::Impl& impl, InodeNumber directory,
                                   std::string_view name);

}  // namespace imprint::image
