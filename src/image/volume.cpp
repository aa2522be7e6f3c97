#include "imprint/image/volume.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ext2_admission.hpp"
#include "ext2_error.hpp"
#include "ext2_release.hpp"
#include "imprint/base/text.hpp"
#include "volume_impl.hpp"

namespace imprint::image {

NodeType type_of(const ext2_inode& inode) noexcept {
  switch (inode.i_mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG:
      return NodeType::file;
    case LINUX_S_IFDIR:
      return NodeType::directory;
    case LINUX_S_IFLNK:
      return NodeType::symlink;
    default:
      return NodeType::other;
  }
}

std::uint64_t size_of(const ext2_inode& inode) noexcept {
  return inode.i_size | (static_cast<std::uint64_t>(inode.i_size_high) << 32);
}

FullInode::FullInode(ext2_filsys fs)
    : size_(static_cast<int>(EXT2_INODE_SIZE(fs->super))),
      words_(std::max(static_cast<std::size_t>(size_), sizeof(ext2_inode_large)) /
             sizeof(std::uint32_t)) {}

Volume::Impl::Impl(const ImageReader& from, Canvas* to, const Partition& where, TimePoint time)
    : image(from),
      partition(where),
      target(from, to, where.offset_bytes, where.size_bytes),
      editable(to != nullptr),
      // Zero would make the library take the system's clock.
      now(std::max<std::int64_t>(1, time.time_since_epoch().count())) {}

Volume::Impl::~Impl() {
  if (fs != nullptr) ext2fs_free(fs);
}

std::string Volume::Impl::described() const {
  return described_partition(partition, image.path());
}

Result<> Volume::Impl::check(errcode_t code) {
  if (code == 0) return {};
  // The reason below the library's "short read" says more than the library can.
  if (std::optional<Error> failure = target.take_failure()) {
    return fail(std::move(*failure).context(described()));
  }
  return fail(ext2_error(code).context(described()));
}

Unexpected Volume::Impl::refuse(Code code, std::string what) const {
  return fail(Error(code, std::move(what)).context(described()));
}

Result<> Volume::Impl::open(int flags) {
  // Twice: first only the superblock and with every feature accepted, so that what we cannot handle
  // is refused by its name; then as the library itself is willing to.
  IMPRINT_TRY(check(target.open(
      EXT2_FLAG_64BITS | EXT2_FLAG_SUPER_ONLY | EXT2_FLAG_FORCE | EXT2_FLAG_SKIP_MMP, &fs)));
  const Purpose purpose = editable ? Purpose::edit : Purpose::read;
  Result<> admitted = admit_superblock(*fs->super, partition.size_bytes, purpose);
  ext2fs_free(std::exchange(fs, nullptr));
  IMPRINT_TRY(std::move(admitted).context(described()));

  IMPRINT_TRY(check(target.open(flags | EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP, &fs)));
  IMPRINT_TRY(admit_groups(fs).context(described()));
  IMPRINT_TRY(admit_users(fs).context(described()));
  fs->now = now;
  last_written = TimePoint(std::chrono::seconds(
      fs->super->s_wtime | (static_cast<std::int64_t>(fs->super->s_wtime_hi) << 32)));
  return {};
}

Result<FullInode> Volume::Impl::read_inode(InodeNumber number) {
  FullInode inode(fs);
  IMPRINT_TRY(check(ext2fs_read_inode_full(fs, number, &inode.base(), inode.size())));
  return inode;
}

Result<> Volume::Impl::write_inode(InodeNumber number, FullInode& inode) {
  return check(ext2fs_write_inode_full(fs, number, &inode.base(), inode.size()));
}

std::uint64_t Volume::Impl::image_offset_of(blk64_t block) const noexcept {
  return partition.offset_bytes + block * fs->blocksize;
}

bool Volume::Impl::is_block_number(blk64_t block) const noexcept {
  return block >= fs->super->s_first_data_block && block < ext2fs_blocks_count(fs->super);
}

std::uint64_t Volume::Impl::blocks_of_size(std::uint64_t size_bytes) const noexcept {
  return size_bytes / fs->blocksize + (size_bytes % fs->blocksize == 0 ? 0 : 1);
}

Unexpected damaged(const Volume::Impl& impl, std::string what) {
  return impl.refuse(Code::corrupt, std::move(what) + "; repair the file system with 'e2fsck -f'");
}

Volume::Volume(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Volume::Volume(Volume&&) noexcept = default;
Volume& Volume::operator=(Volume&&) noexcept = default;
Volume::~Volume() = default;

Result<Volume> Volume::open_read(const ImageReader& image, const Partition& partition) {
  auto impl = std::make_unique<Impl>(image, nullptr, partition, TimePoint{});
  IMPRINT_TRY(impl->open(0));
  return Volume(std::move(impl));
}

Result<Volume> Volume::open_edit(Canvas& canvas, const Partition& partition, TimePoint now) {
  auto impl = std::make_unique<Impl>(canvas, &canvas, partition, now);
  IMPRINT_TRY(impl->open(EXT2_FLAG_RW));
  IMPRINT_TRY(impl->check(ext2fs_read_bitmaps(impl->fs)));
  hold_back_freed(*impl);

  const ext2_filsys fs = impl->fs;
  auto map = std::make_shared<FreeMap>();
  map->image_offset = partition.offset_bytes;
  map->block_bytes = fs->blocksize;
  map->first_block = fs->super->s_first_data_block;
  map->end_block = ext2fs_blocks_count(fs->super);
  const std::uint64_t count = map->end_block - map->first_block;
  map->used.resize(static_cast<std::size_t>((count + 7) / 8));
  if (EXT2FS_CLUSTER_RATIO(fs) == 1) {
    IMPRINT_TRY(impl->check(
        ext2fs_get_block_bitmap_range2(fs->block_map, map->first_block, count, map->used.data())));
  } else {
    // The library's bulk copy speaks of clusters.
    for (std::uint64_t bit = 0; bit < count; ++bit) {
      if (ext2fs_test_block_bitmap2(fs->block_map, map->first_block + bit) == 0) continue;
      map->used[static_cast<std::size_t>(bit / 8)] |= static_cast<std::byte>(1U << (bit % 8));
    }
  }
  impl->free_map = std::move(map);
  return Volume(std::move(impl));
}

const Partition& Volume::partition() const noexcept {
  return impl_->partition;
}

std::uint32_t Volume::block_bytes() const noexcept {
  return impl_->fs->blocksize;
}

TimePoint Volume::last_written() const noexcept {
  return impl_->last_written;
}

std::uint64_t Volume::free_blocks() const noexcept {
  return ext2fs_free_blocks_count(impl_->fs->super);
}

std::uint64_t Volume::free_inodes() const noexcept {
  return impl_->fs->super->s_free_inodes_count;
}

Result<> Volume::commit() {
  if (!impl_->editable)
    return impl_->refuse(Code::internal, "commit of a volume opened for reading");
  if (impl_->broken) {
    return impl_->refuse(Code::internal, "commit after an edit that failed half-way");
  }
  IMPRINT_TRY(free_released(*impl_));
  // The library writes the bitmaps, the primary group descriptors and the primary superblock. The
  // backups stay as they are: neither the kernel nor e2fsck keep their counts current, and each
  // one not written is a block that no overlay has to carry.
  IMPRINT_TRY(impl_->check(ext2fs_close2(impl_->fs, 0)));
  impl_->fs = nullptr;
  return {};
}

std::shared_ptr<const Volume::FreeMap> Volume::original_free_map() const {
  return impl_->free_map;
}

bool was_free(const Volume::FreeMap& map, std::uint64_t image_offset, std::uint64_t length_bytes) {
  if (length_bytes == 0 || image_offset < map.image_offset) return false;
  const std::uint64_t first = (image_offset - map.image_offset) / map.block_bytes;
  const std::uint64_t last = (image_offset - map.image_offset + length_bytes - 1) / map.block_bytes;
  if (first < map.first_block || last >= map.end_block) return false;
  for (std::uint64_t block = first; block <= last; ++block) {
    const std::uint64_t bit = block - map.first_block;
    const auto byte = std::to_integer<unsigned>(map.used[static_cast<std::size_t>(bit / 8)]);
    if (((byte >> (bit % 8)) & 1U) != 0) return false;
  }
  return true;
}

}  // namespace imprint::image
