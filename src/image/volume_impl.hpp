#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ext2fs/ext2fs.h>

#include "imprint/image/volume.hpp"
#include "io_canvas.hpp"

namespace imprint::image {

/// An on-disk inode of whatever size the file system has, in the library's (host) form.
class FullInode {
 public:
  explicit FullInode(ext2_filsys fs);

  [[nodiscard]] ext2_inode_large& large() noexcept {
    return *reinterpret_cast<ext2_inode_large*>(words_.data());
  }

  /// The first 128 bytes, which is what most of the library deals in.
  [[nodiscard]] ext2_inode& base() noexcept {
    return *reinterpret_cast<ext2_inode*>(words_.data());
  }

  [[nodiscard]] bool has_extra() const noexcept { return size_ > EXT2_GOOD_OLD_INODE_SIZE; }

  [[nodiscard]] int size() const noexcept { return size_; }

 private:
  int size_;
  std::vector<std::uint32_t> words_;  // at least as long as ext2_inode_large, zeroed
};

/// A stretch of a file: `blocks` file blocks from `logical` on, at `physical`.
struct BlockRun {
  blk64_t logical = 0;
  blk64_t physical = 0;
  blk64_t blocks = 0;
  bool unwritten = false;  ///< allocated, but reads as zeros
};

struct Volume::FreeMap {
  std::uint64_t image_offset = 0;  // of the file system
  std::uint64_t block_bytes = 0;
  std::uint64_t first_block = 0;
  std::uint64_t end_block = 0;
  Bytes used;  // one bit a block from first_block, lowest bit first
};

struct Volume::Impl {
  Impl(const ImageReader& from, Canvas* to, const Partition& where, TimePoint time);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  const ImageReader& image;
  Partition partition;
  IoTarget target;  // before fs: the handle's channel lives in it
  ext2_filsys fs = nullptr;
  bool editable = false;
  std::int64_t now = 0;  // seconds since 1970
  TimePoint last_written;
  std::shared_ptr<const FreeMap> free_map;
  /// Zeroed, still allocated, freed by commit: of each cluster one block.
  std::vector<blk64_t> released;
  /// While the library may free blocks by itself: they are released instead.
  bool holds_back = false;
  std::optional<Error> holding_failed;
  /// An edit failed half-way: what is on the canvas is no file system any more.
  bool broken = false;

  [[nodiscard]] Result<> open(int flags);
  /// "partition 4 ('data') of 'x.img'"
  [[nodiscard]] std::string described() const;

  /// What a library call returned, as a Result that says which partition.
  [[nodiscard]] Result<> check(errcode_t code);
  /// An error of our own, with the partition added.
  [[nodiscard]] Unexpected refuse(Code code, std::string what) const;

  [[nodiscard]] Result<FullInode> read_inode(InodeNumber number);
  [[nodiscard]] Result<> write_inode(InodeNumber number, FullInode& inode);
  /// The blocks of a file up to its size, in file order, without its holes.
  [[nodiscard]] Result<std::vector<BlockRun>> map_blocks(InodeNumber number, ext2_inode& inode);
  /// All blocks of a file, content and what leads to it, in no particular order.
  [[nodiscard]] Result<std::vector<blk64_t>> all_blocks(InodeNumber number);
  /// How many blocks the content of this size has, holes included.
  [[nodiscard]] std::uint64_t blocks_of_size(std::uint64_t size_bytes) const noexcept;
  [[nodiscard]] std::uint64_t image_offset_of(blk64_t block) const noexcept;
  [[nodiscard]] std::uint64_t image_offset_of_inode(InodeNumber number) const noexcept;
  [[nodiscard]] bool is_block_number(blk64_t block) const noexcept;
};

/// An error that the file system's own repair is the answer to.
[[nodiscard]] Unexpected damaged(const Volume::Impl& impl, std::string what);

[[nodiscard]] NodeType type_of(const ext2_inode& inode) noexcept;
[[nodiscard]] std::uint64_t size_of(const ext2_inode& inode) noexcept;

}  // namespace imprint::image
