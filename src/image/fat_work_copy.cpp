// mtools can only work on a file, and the image must not be touched. So it gets a file in memory
// (memfd: no name, gone with us) that holds what it looks at: boot sector, FATs, directories. The
// content of files is left out; of a 256 MiB partition with 60 MiB of files about 1 MiB is copied.
// After each tool the FATs before and after tell what has changed: clusters that have come into use
// go to the canvas, clusters that are free now are zeroed there, and directories and tables are
// compared. So the canvas is always up to date, and reading needs nothing but the canvas.
//
// mtools 4.0.32 refuses a FAT32 of fewer than 65525 clusters, which boards' boot partitions often
// are ("mkfs.vfat -F 32" on 64 MiB) and which Linux and firmware read. Its copy gets longer FATs,
// in which the clusters that are not there are marked as bad.

#include "fat_work_copy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include "fat_mtools.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/secret.hpp"
#include "little_endian.hpp"

namespace imprint::image {
namespace {

constexpr std::uint32_t kFat32MinClusters = 65525;
constexpr std::size_t kTotalSectors16 = 19;
constexpr std::size_t kTotalSectors32 = 32;
constexpr std::size_t kFatSectors32 = 36;
constexpr std::uint64_t kCompareBytes = 64U << 10;

/// What mtools takes for a file system in order.
[[nodiscard]] FatGeometry shape_for_mtools(const FatGeometry& real) {
  FatGeometry shape = real;
  if (real.type != FatType::fat32 || real.clusters >= kFat32MinClusters) return shape;
  shape.clusters = kFat32MinClusters;
  const auto sectors = (shape.fat_bytes() + shape.sector_bytes - 1) / shape.sector_bytes;
  shape.fat_sectors = std::max(real.fat_sectors, static_cast<std::uint32_t>(sectors));
  shape.total_sectors = shape.cluster_offset(kFirstCluster + shape.clusters) / shape.sector_bytes;
  return shape;
}

/// A file in memory that only we have.
Result<File> memory_file(std::uint64_t size_bytes) {
  const int fd = ::memfd_create("imprint-fat", MFD_CLOEXEC);
  if (fd < 0) return fail(system_error("making a file in memory"));
  auto file = File::open_read_write(fmt::format("/proc/self/fd/{}", fd));
  ::close(fd);
  File opened = IMPRINT_TRY(std::move(file));
  IMPRINT_TRY(opened.resize(size_bytes));
  return opened;
}

[[nodiscard]] bool is_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

FatWorkCopy::FatWorkCopy(Canvas& canvas, std::uint64_t offset, FatReader& reader, File memory)
    : canvas_(&canvas),
      offset_(offset),
      reader_(&reader),
      memory_(std::move(memory)),
      shape_(shape_for_mtools(reader.geometry())) {}

Result<FatWorkCopy> FatWorkCopy::make(Canvas& canvas, const Partition& partition, FatReader& reader,
                                      const std::vector<Cluster>& directory_clusters) {
  File memory = IMPRINT_TRY(memory_file(shape_for_mtools(reader.geometry()).size_bytes()));
  FatWorkCopy copy(canvas, partition.offset_bytes, reader, std::move(memory));
  IMPRINT_TRY(copy.copy_in_tables());
  for (const Cluster cluster : directory_clusters) {
    copy.directories_.insert(cluster);
    IMPRINT_TRY(
        copy.copy_in(reader.geometry().cluster_offset(cluster), reader.geometry().cluster_bytes));
  }
  return copy;
}

std::uint64_t FatWorkCopy::in_copy(std::uint64_t offset) const noexcept {
  const FatGeometry& real = reader_->geometry();
  // Only one FAT is in the way for what lies before the second; nothing else asks for FATs.
  if (offset < real.root_offset()) return offset;
  return offset - real.root_offset() + shape_.root_offset();
}

Result<> FatWorkCopy::copy_in(std::uint64_t offset, std::uint64_t size_bytes) {
  Bytes bytes(static_cast<std::size_t>(size_bytes));
  IMPRINT_TRY(reader_->read_raw(offset, bytes));
  if (is_zero(bytes)) return {};
  return memory_.write_all(in_copy(offset), bytes);
}

Result<> FatWorkCopy::copy_in_tables() {
  const FatGeometry& real = reader_->geometry();
  Bytes reserved(static_cast<std::size_t>(real.fat_offset(0)));
  IMPRINT_TRY(reader_->read_raw(0, reserved));
  Bytes fat = reader_->table().bytes();
  if (shape_.clusters != real.clusters) {
    const auto put = [&](std::size_t offset, std::uint64_t value, std::size_t size) {
      Bytes field;
      append_little_endian(field, value, size);
      std::ranges::copy(field, reserved.begin() + static_cast<std::ptrdiff_t>(offset));
    };
    put(kTotalSectors16, 0, 2);
    put(kTotalSectors32, shape_.total_sectors, 4);
    put(kFatSectors32, shape_.fat_sectors, 4);
    constexpr std::uint64_t kBad = 0x0FFFFFF7;
    while (fat.size() < shape_.fat_bytes())
      append_little_endian(fat, kBad, 4);
  }
  IMPRINT_TRY(memory_.write_all(0, reserved));
  for (std::uint32_t number = 0; number < shape_.fats; ++number) {
    IMPRINT_TRY(memory_.write_all(shape_.fat_offset(number), fat));
  }
  if (real.root_bytes() == 0) return {};
  return copy_in(real.root_offset(), real.root_bytes());
}

Result<> FatWorkCopy::copy_out(std::uint64_t offset, std::uint64_t size_bytes) {
  crypto::WipedBytes now;
  crypto::WipedBytes before;
  for (std::uint64_t done = 0; done < size_bytes; done += now.size()) {
    now.resize(static_cast<std::size_t>(std::min(size_bytes - done, kCompareBytes)));
    before.resize(now.size());
    IMPRINT_TRY(memory_.read_exact(in_copy(offset + done), now));
    IMPRINT_TRY(reader_->read_raw(offset + done, before));
    if (now != before) {
      IMPRINT_TRY(canvas_->write(offset_ + offset + done, now));
    }
  }
  return {};
}

Result<> FatWorkCopy::forget(Cluster cluster) {
  const auto offset = static_cast<off_t>(shape_.cluster_offset(cluster));
  if (::fallocate(memory_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                  shape_.cluster_bytes) != 0) {
    return fail(system_error("giving back memory"));
  }
  return {};
}

Result<> FatWorkCopy::copy_out_change(const FatTable::Change& change) {
  const FatGeometry& real = reader_->geometry();
  for (std::uint32_t number = 0; number < real.fats; ++number) {
    IMPRINT_TRY(canvas_->write(offset_ + real.fat_offset(number) + change.offset, change.bytes));
  }
  for (const Cluster cluster : change.freed) {
    directories_.erase(cluster);
    IMPRINT_TRY(forget(cluster));
    IMPRINT_TRY(copy_out(real.cluster_offset(cluster), real.cluster_bytes));
  }
  for (const Cluster cluster : change.taken) {
    IMPRINT_TRY(copy_out(real.cluster_offset(cluster), real.cluster_bytes));
  }
  return {};
}

Result<> FatWorkCopy::copy_out_directories() {
  const FatGeometry& real = reader_->geometry();
  for (const Cluster cluster : directories_) {
    IMPRINT_TRY(copy_out(real.cluster_offset(cluster), real.cluster_bytes));
  }
  if (real.info_sector != 0) {
    IMPRINT_TRY(copy_out(std::uint64_t{real.info_sector} * real.sector_bytes, real.sector_bytes));
  }
  return copy_out(real.root_offset(), real.root_bytes());
}

Result<> FatWorkCopy::mark_directory(std::string_view path) {
  const FatDirectory directory = IMPRINT_TRY(reader_->directory_at(path));
  directories_.insert(directory.chain.begin(), directory.chain.end());
  return {};
}

Result<> FatWorkCopy::run(std::string_view tool, const std::vector<std::string>& arguments,
                          std::string_view parent, TimePoint now, const Content* input) {
  IMPRINT_TRY(run_mtools(memory_.fd(), tool, arguments, now, input));
  const FatGeometry& real = reader_->geometry();
  Bytes fat(static_cast<std::size_t>(real.fat_bytes()));
  IMPRINT_TRY(memory_.read_exact(shape_.fat_offset(0), fat));
  const FatTable after(real, std::move(fat));
  const std::vector<FatTable::Change> changes = reader_->table().changes_to(after);
  for (const FatTable::Change& change : changes) {
    IMPRINT_TRY(copy_out_change(change));
  }
  IMPRINT_TRY(copy_out_directories());
  IMPRINT_TRY(reader_->reload());
  IMPRINT_TRY(mark_directory(parent));
  for (const FatTable::Change& change : changes) {
    for (const Cluster cluster : change.taken) {
      // A tool makes either a directory or a file, whose content it needs no more.
      if (tool == "mmd") directories_.insert(cluster);
      if (directories_.contains(cluster)) continue;
      IMPRINT_TRY(forget(cluster));
    }
  }
  return {};
}

Result<> FatWorkCopy::patch(std::uint64_t offset, ByteView bytes) {
  IMPRINT_TRY(memory_.write_all(in_copy(offset), bytes));
  return canvas_->write(offset_ + offset, bytes);
}

}  // namespace imprint::image
