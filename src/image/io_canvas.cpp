// How libext2fs edits an image that nobody has opened for writing.
//
// The library reaches its device through a table of functions (an I/O manager). This one answers
// from an ImageReader at the partition's offset and puts every write on a Canvas. So a file system
// is edited in memory: no loop device, no copy of the image, no write to it, and a dropped edit has
// no trace. Rejected: the library's own unix_io with "?offset=", which needs a private copy of the
// image first and flushes cached blocks even when the handle is thrown away; undo_io, whose state
// is global.
//
// A manager's open() is given a name and nothing else. The object to open is therefore passed
// beside it, in a thread_local that is set only while ext2fs_open2 runs. A pointer printed into the
// name would do as well, but an address that comes back from text is one that nothing checks.
//
// There is no cache here: the canvas is memory already, and the library caches what it rereads.

#include "io_canvas.hpp"

#include <cstdarg>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace imprint::image {
namespace {

thread_local IoTarget* opening = nullptr;

IoTarget& target_of(io_channel channel) {
  return *static_cast<IoTarget*>(channel->private_data);
}

/// A negative count means bytes, a positive one blocks.
std::size_t size_of(io_channel channel, int count) {
  if (count < 0) return static_cast<std::size_t>(-static_cast<long>(count));
  return static_cast<std::size_t>(count) * static_cast<std::size_t>(channel->block_size);
}

std::uint64_t offset_of(io_channel channel, unsigned long long block) {
  return block * static_cast<std::uint64_t>(channel->block_size);
}

errcode_t open_channel(const char* /*name*/, int /*flags*/, io_channel* channel) {
  if (opening == nullptr) return EXT2_ET_BAD_DEVICE_NAME;
  *channel = opening->channel();
  return 0;
}

errcode_t close_channel(io_channel channel) {
  // Nothing to give back: the channel is part of the IoTarget.
  --channel->refcount;
  return 0;
}

errcode_t set_block_size(io_channel channel, int bytes) {
  channel->block_size = bytes;
  return 0;
}

errcode_t read_blocks64(io_channel channel, unsigned long long block, int count, void* data) {
  return target_of(channel).read(offset_of(channel, block),
                                 {static_cast<std::byte*>(data), size_of(channel, count)});
}

errcode_t write_blocks64(io_channel channel, unsigned long long block, int count,
                         const void* data) {
  return target_of(channel).write(offset_of(channel, block),
                                  {static_cast<const std::byte*>(data), size_of(channel, count)});
}

errcode_t read_blocks(io_channel channel, unsigned long block, int count, void* data) {
  return read_blocks64(channel, block, count, data);
}

errcode_t write_blocks(io_channel channel, unsigned long block, int count, const void* data) {
  return write_blocks64(channel, block, count, data);
}

errcode_t write_bytes(io_channel channel, unsigned long offset, int count, const void* data) {
  return target_of(channel).write(
      offset, {static_cast<const std::byte*>(data), static_cast<std::size_t>(count)});
}

errcode_t flush(io_channel /*channel*/) {
  return 0;
}

errcode_t set_option(io_channel /*channel*/, const char* /*option*/, const char* /*argument*/) {
  return EXT2_ET_INVALID_ARGUMENT;
}

errcode_t zero_out(io_channel channel, unsigned long long block, unsigned long long count) {
  const std::vector<std::byte> zeros(static_cast<std::size_t>(channel->block_size));
  for (unsigned long long i = 0; i < count; ++i) {
    const errcode_t code = target_of(channel).write(offset_of(channel, block + i), zeros);
    if (code != 0) return code;
  }
  return 0;
}

errcode_t discard(io_channel /*channel*/, unsigned long long /*block*/,
                  unsigned long long /*count*/) {
  return 0;  // a hint, and the bytes of a discarded block are nobody's
}

errcode_t read_ahead(io_channel /*channel*/, unsigned long long /*block*/,
                     unsigned long long /*count*/) {
  return 0;
}

struct_io_manager make_manager() {
  struct_io_manager manager{};
  manager.magic = EXT2_ET_MAGIC_IO_MANAGER;
  manager.name = "imprint canvas";
  manager.open = open_channel;
  manager.close = close_channel;
  manager.set_blksize = set_block_size;
  manager.read_blk = read_blocks;
  manager.write_blk = write_blocks;
  manager.flush = flush;
  manager.write_byte = write_bytes;
  manager.set_option = set_option;
  // get_stats stays empty on purpose (the library asks first): with it, closing would add what was
  // written to s_kbytes_written, and the superblock would depend on how an edit was done, not on
  // what.
  manager.get_stats = nullptr;
  manager.read_blk64 = read_blocks64;
  manager.write_blk64 = write_blocks64;
  manager.discard = discard;
  manager.cache_readahead = read_ahead;
  manager.zeroout = zero_out;
  return manager;
}

/// The table itself is shared and never changes; the library takes it as non-const.
io_manager canvas_manager() {
  static struct_io_manager manager = make_manager();
  return &manager;
}

}  // namespace

IoTarget::IoTarget(const ImageReader& image, Canvas* canvas, std::uint64_t offset,
                   std::uint64_t size)
    : image_(image),
      canvas_(canvas),
      offset_(offset),
      size_(size) {}

namespace {

/// Some of what the library finds it tells standard error, as a warning beside what it returns.
/// Messages are made from what it returns.
void keep_library_quiet() {
  static std::once_flag once;
  std::call_once(once,
                 [] { set_com_err_hook([](const char*, errcode_t, const char*, va_list) {}); });
}

}  // namespace

errcode_t IoTarget::open(int flags, ext2_filsys* fs) {
  channel_ = {};
  channel_.magic = EXT2_ET_MAGIC_IO_CHANNEL;
  channel_.manager = canvas_manager();
  channel_.name = name_.data();
  channel_.block_size = 1024;
  channel_.refcount = 1;
  channel_.private_data = this;
  keep_library_quiet();
  opening = this;
  const errcode_t code = ext2fs_open2(name_.c_str(), nullptr, flags, 0, 0, canvas_manager(), fs);
  opening = nullptr;
  return code;
}

bool IoTarget::contains(std::uint64_t offset, std::size_t size) const noexcept {
  return offset <= size_ && size <= size_ - offset;
}

errcode_t IoTarget::remember(Error error) {
  failure_ = std::move(error);
  return EXT2_ET_SHORT_READ;
}

namespace {

/// No exception may fly through the library's frames: memory is the only thing that can throw here.
template <class Work>
errcode_t without_exceptions(const Work& work) noexcept {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return EXT2_ET_NO_MEMORY;
  }
}

}  // namespace

errcode_t IoTarget::read(std::uint64_t offset, MutableBytes into) {
  if (!contains(offset, into.size())) return EXT2_ET_SHORT_READ;
  return without_exceptions([&]() -> errcode_t {
    Result<> done = image_.read(offset_ + offset, into);
    return done ? 0 : remember(std::move(done).error());
  });
}

errcode_t IoTarget::write(std::uint64_t offset, ByteView bytes) {
  if (canvas_ == nullptr) return EXT2_ET_RO_FILSYS;
  if (!contains(offset, bytes.size())) return EXT2_ET_SHORT_WRITE;
  return without_exceptions([&]() -> errcode_t {
    Result<> done = canvas_->write(offset_ + offset, bytes);
    return done ? 0 : remember(std::move(done).error());
  });
}

std::optional<Error> IoTarget::take_failure() noexcept {
  return std::exchange(failure_, std::nullopt);
}

}  // namespace imprint::image
