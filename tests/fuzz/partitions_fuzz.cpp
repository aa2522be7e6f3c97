// A disk of fixtures/disks, damaged, or any bytes. The first byte chooses which, the second cuts it
// off (in 255ths); the rest are instructions (image/damage.hpp). A GPT gets its checksums again if
// the highest bit of the first byte is set, or nothing behind them would ever be seen.

#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <fmt/format.h>

#include "image/damage.hpp"
#include "imprint/image/partition.hpp"
#include "seeds.hpp"

namespace imprint::fuzz {
namespace {

constexpr std::size_t kSectorBytes = 512;

[[nodiscard]] std::uint64_t get(ByteView bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = (value << 8U) | std::to_integer<std::uint64_t>(bytes[at + i]);
  return value;
}

void put32(MutableBytes bytes, std::size_t at, std::uint64_t value) {
  for (std::size_t i = 0; i < 4; ++i)
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
}

[[nodiscard]] std::uint64_t checksum(ByteView bytes) {
  return ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
}

/// One of the two headers, if it is one.
void restore_checksums(MutableBytes disk, std::uint64_t sector) {
  if (sector >= disk.size() / kSectorBytes) return;
  const MutableBytes header =
      disk.subspan(static_cast<std::size_t>(sector) * kSectorBytes, kSectorBytes);
  if (text_of(header.first(8)) != "EFI PART") return;
  const std::uint64_t at = get(header, 72, 8) * kSectorBytes;
  const std::uint64_t size = get(header, 80, 4) * get(header, 84, 4);
  if (at < disk.size() && size <= disk.size() - at) {
    put32(header, 88,
          checksum(disk.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(size))));
  }
  const std::uint64_t length = get(header, 12, 4);
  if (length > header.size() || length < 92) return;
  put32(header, 16, 0);
  put32(header, 16, checksum(header.first(static_cast<std::size_t>(length))));
}

void look_at(ByteView disk) {
  const int fd = ::memfd_create("disk", MFD_CLOEXEC);
  expect(fd >= 0 && ::write(fd, disk.data(), disk.size()) == static_cast<ssize_t>(disk.size()),
         "memory can be a file");
  const std::string path = fmt::format("/proc/self/fd/{}", fd);
  const auto check = [&path](const auto& result) {
    if (result) return true;
    expect_decent(result.error());
    expect(result.error().message().find(path) != std::string::npos, "a message names the image");
    return false;
  };
  const auto file = image::FileImage::open(path);
  expect(file.has_value(), "memory can be an image");
  if (const auto table = image::read_partition_table(*file); check(table)) {
    expect(!table->partitions.empty(), "a table has partitions");
    for (const image::Partition& partition : table->partitions) {
      expect(partition.offset_bytes <= disk.size() &&
                 partition.size_bytes <= disk.size() - partition.offset_bytes,
             "partitions lie in the image");
    }
  }
  check(image::find_layout(*file));
  check(image::find_layout(*file, {.rootfs_a = 2, .data = 5}));
  ::close(fd);
}

}  // namespace
}  // namespace imprint::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imprint;
  static const std::vector<Bytes> seeds = fuzz::seed_images(IMPRINT_FIXTURES "/disks");
  if (size < 2) return 0;
  const ByteView input = std::as_bytes(std::span(data, size)).subspan(2);
  const std::size_t choice = (data[0] & 0x7fU) % (seeds.size() + 1);
  if (choice == seeds.size()) {
    fuzz::look_at(input);
    return 0;
  }
  Bytes disk = seeds[choice];
  image::test::damage(disk, input);
  if ((data[0] & 0x80U) != 0) {
    const std::uint64_t backup = fuzz::get(disk, fuzz::kSectorBytes + 32, 8);
    fuzz::restore_checksums(disk, 1);
    fuzz::restore_checksums(disk, backup);
  }
  fuzz::look_at(ByteView(disk).first(disk.size() - disk.size() * data[1] / 255));
  return 0;
}
