#include "damage.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "imprint/image/consistency.hpp"

namespace imprint::image::test {
namespace {

constexpr std::uint64_t kGuardBytes = 64U << 10;
constexpr std::uint64_t kSuperblock = 1024;
constexpr std::size_t kInstructionBytes = 8;
/// Far more than any of the images has.
constexpr std::size_t kMostNodes = 2000;
/// What one call may read, in sizes of the file system: a lookup reads a directory, a directory may
/// have as many blocks as there are, and each of them takes some more to be found.
constexpr std::uint64_t kMostReading = 64;

[[nodiscard]] std::uint64_t number(ByteView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = (value << 8) | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

/// Offsets of the 1 KiB blocks that hold something.
[[nodiscard]] std::vector<std::size_t> used_blocks(ByteView bytes) {
  std::vector<std::size_t> used;
  for (std::size_t at = 0; at + kSuperblock <= bytes.size(); at += kSuperblock) {
    const std::byte* const block = bytes.data() + at;
    if (block[0] != std::byte{0} || std::memcmp(block, block + 1, kSuperblock - 1) != 0)
      used.push_back(at);
  }
  return used;
}

[[nodiscard]] std::size_t place_of(std::size_t where, std::size_t offset, std::size_t size,
                                   const std::vector<std::size_t>& used) {
  switch (where % 4) {
    case 1:
      return kSuperblock + offset % kSuperblock;
    case 2: {
      if (used.empty()) return 0;
      const std::size_t in = offset % (used.size() * kSuperblock);
      return used[in / kSuperblock] + in % kSuperblock;
    }
    case 3:
      return offset % std::min<std::size_t>(size, 8 * kSuperblock);
    default:
      return offset % size;
  }
}

[[nodiscard]] std::uint64_t changed(std::uint64_t old, unsigned how, std::uint64_t with) {
  constexpr std::array<std::uint64_t, 8> kExtremes{
      0, ~std::uint64_t{0}, 0x7fff'ffff'ffff'ffff, 0x8000'0000'8000'8080,
      1, 0xffff'fffe,       0x7fff'7f7f,           0x0000'ffff'0000'ffff};
  switch (how % 4) {
    case 1:
      return old + with;
    case 2:
      return old ^ with;
    case 3:
      return kExtremes[with % kExtremes.size()];
    default:
      return with;
  }
}

}  // namespace

void damage(MutableBytes bytes, ByteView instructions) {
  const std::vector<std::size_t> used = used_blocks(bytes);
  for (; instructions.size() >= kInstructionBytes;
       instructions = instructions.subspan(kInstructionBytes)) {
    const auto where = std::to_integer<std::size_t>(instructions[0]);
    const auto how = std::to_integer<unsigned>(instructions[1]);
    const std::size_t at = place_of(where, number(instructions.subspan(2, 3)), bytes.size(), used);
    std::uint64_t with = number(instructions.subspan(5, 3));
    if ((with & 0x80'0000U) != 0) with |= ~std::uint64_t{0xff'ffff};
    const std::size_t width = std::min(std::size_t{1} << (how & 3U), bytes.size() - at);
    std::uint64_t value = changed(number(bytes.subspan(at, width)), how >> 2U, with);
    for (std::size_t i = 0; i < width; ++i, value >>= 8)
      bytes[at + i] = static_cast<std::byte>(value);
  }
}

DamagedImage::DamagedImage(Bytes file_system, Complaint complain)
    : file_system_(std::move(file_system)),
      complain_(std::move(complain)) {
  partition_.number = 4;
  partition_.offset_bytes = kGuardBytes;
  partition_.size_bytes = file_system_.size();
  partition_.file_system = "ext4";
}

std::uint64_t DamagedImage::size_bytes() const noexcept {
  return 2 * kGuardBytes + file_system_.size();
}

Result<> DamagedImage::read(std::uint64_t offset, MutableBytes into) const {
  read_bytes_ += into.size();
  if (offset < kGuardBytes || offset - kGuardBytes > file_system_.size() ||
      into.size() > file_system_.size() - (offset - kGuardBytes)) {
    // A canvas reads whole chunks, and the last one of a partition may reach beyond it.
    std::ranges::fill(into, std::byte{0xa5});
    const std::uint64_t end = offset + into.size();
    const std::uint64_t chunk = 1024;
    if (offset < kGuardBytes ||
        end > kGuardBytes + (file_system_.size() + chunk - 1) / chunk * chunk)
      complain_(fmt::format("bytes {} to {} are outside the partition", offset, end));
    if (offset >= kGuardBytes && offset - kGuardBytes < file_system_.size()) {
      const auto from = file_system_.begin() + static_cast<std::ptrdiff_t>(offset - kGuardBytes);
      std::copy(from, file_system_.end(), into.begin());
    }
    return {};
  }
  const auto from = file_system_.begin() + static_cast<std::ptrdiff_t>(offset - kGuardBytes);
  std::copy_n(from, into.size(), into.begin());
  return {};
}

const fs::path& DamagedImage::path() const noexcept {
  static const fs::path path = "damaged.img";
  return path;
}

std::uint64_t DamagedImage::take_read_bytes() const noexcept {
  return std::exchange(read_bytes_, 0);
}

namespace {

/// What every call has to keep to.
class Judge {
 public:
  Judge(const DamagedImage& damaged, const Complaint& complain)
      : damaged_(damaged),
        complain_(complain) {
    (void)damaged_.take_read_bytes();
  }

  /// Whether it succeeded; a failure is looked at.
  template <class T>
  bool check(std::string_view call, const Result<T>& result) {
    const std::uint64_t most =
        kMostReading * std::max<std::uint64_t>(damaged_.partition().size_bytes, 64U << 10);
    if (const std::uint64_t bytes = damaged_.take_read_bytes(); bytes > most)
      complain_(fmt::format("{} read {} bytes of an image of {}", call, bytes,
                            damaged_.partition().size_bytes));
    if (result) return true;
    const Error& error = result.error();
    const std::string message = error.message();
    const bool half_done = failed_edit_ && error.code == Code::internal;
    if (error.code == Code::internal && !half_done)
      complain_(fmt::format("{}: an image is never an internal error: {}", call, message));
    if (message.find("partition 4") == std::string::npos)
      complain_(fmt::format("{}: no word of the partition: {}", call, message));
    if (message.find('\n') != std::string::npos || message.size() > 2000)
      complain_(fmt::format("{}: this is no line: {}", call, message));
    return false;
  }

  /// As check; after a failure the volume may say that an earlier edit failed.
  template <class T>
  bool check_edit(std::string_view call, const Result<T>& result) {
    const bool done = check(call, result);
    failed_edit_ = failed_edit_ || !done;
    return done;
  }

  void complain(const std::string& what) { complain_(what); }

  [[nodiscard]] std::uint64_t file_system_bytes() const { return damaged_.partition().size_bytes; }

 private:
  const DamagedImage& damaged_;
  const Complaint& complain_;
  bool failed_edit_ = false;
};

void read_content(const Volume& volume, InodeNumber inode, std::uint64_t size, Judge& judge) {
  constexpr std::uint64_t kLimit = 1U << 20;
  const auto whole = volume.read_file(inode, kLimit);
  if (judge.check("read_file", whole) && whole->size() != size) judge.complain("a size differs");
  std::uint64_t sum = 0;
  std::uint64_t next = 0;
  const auto pieces = volume.read_content(inode, [&](std::uint64_t offset, ByteView bytes) {
    if (offset < next || offset + bytes.size() > size) judge.complain("pieces out of order");
    next = offset + bytes.size();
    sum += bytes.size();
    return Result<>();
  });
  judge.check("read_content", pieces);
  if (sum > judge.file_system_bytes()) judge.complain("a file holds more than its file system");
  judge.check("placement", volume.placement(inode));
}

/// What the directory leads to.
void read_directory(const Volume& volume, InodeNumber inode, std::deque<InodeNumber>& into,
                    Judge& judge) {
  const auto names = volume.list(inode);
  if (!judge.check("list", names)) return;
  for (const std::string& name : *names) {
    const auto found = volume.lookup(inode, name);
    if (!judge.check("lookup", found)) continue;
    if (*found) into.push_back(**found);
  }
}

void read_node(const Volume& volume, InodeNumber inode, std::deque<InodeNumber>& next,
               Judge& judge) {
  const auto node = volume.stat(inode);
  if (!judge.check("stat", node)) return;
  judge.check("extended_attributes", volume.extended_attributes(inode));
  switch (node->type) {
    case NodeType::file:
      return read_content(volume, inode, node->size_bytes, judge);
    case NodeType::directory:
      return read_directory(volume, inode, next, judge);
    case NodeType::symlink: {
      const auto target = volume.read_link(inode);
      if (judge.check("read_link", target) && target->size() != node->size_bytes)
        judge.complain("the length of a link differs");
      return;
    }
    case NodeType::other:
      return;
  }
}

}  // namespace

void read_all(const ImageReader& image, const DamagedImage& damaged, const Complaint& complain) {
  Judge judge(damaged, complain);
  judge.check("check_consistency", check_consistency(image, damaged.partition()));
  const auto volume = Volume::open_read(image, damaged.partition());
  if (!judge.check("open_read", volume)) return;
  std::set<InodeNumber> seen;
  std::deque<InodeNumber> next{kRootInode};
  while (!next.empty() && seen.size() < kMostNodes) {
    const InodeNumber inode = next.front();
    next.pop_front();
    if (seen.insert(inode).second) read_node(*volume, inode, next, judge);
  }
}

namespace {

constexpr Attributes kAttributes{.mode = 0640, .uid = 70000, .gid = 1};

/// The edits, by the names that fixtures/ext has.
class Editor {
 public:
  Editor(Volume& volume, Judge& judge) : volume_(volume), judge_(judge) {}

  void step(unsigned index) {
    switch (index) {
      case 0:
        return write(kRootInode, "new", 3000);
      case 1:
        return write(kRootInode, "key", 700);
      case 2:
        return in("deep", [&](InodeNumber inode) {
          const auto made = volume_.make_directory(inode, "made", kAttributes);
          if (judge_.check_edit("make_directory", made)) write(*made, "inside", 100);
        });
      case 3:
        return remove("large");
      case 4:
        return remove("sparse");
      case 5:
        return in("many", [&](InodeNumber inode) {
          for (int i = 0; i < 20; ++i)
            write(inode, fmt::format("one-more-of-a-rather-long-name-{}", i), 0);
        });
      case 6:
        remove("slow");
        remove("fast");
        remove("fifo");
        return void(judge_.check_edit(
            "make_symlink",
            volume_.make_symlink(kRootInode, "slow", std::string(200, 'y'), kAttributes)));
      case 7:
        return in("large", [&](InodeNumber inode) { change(inode); });
      case 8:
        remove("hard");
        return remove("key");
      default:
        return in("mender", [&](InodeNumber inode) {
          judge_.check_edit("remove", volume_.remove(inode, "device_type"));
          remove("mender");
        });
    }
  }

 private:
  void write(InodeNumber directory, std::string_view name, std::size_t size) {
    const std::string content(size, 'n');
    judge_.check_edit("write_file",
                      volume_.write_file(directory, name, bytes_of(content), kAttributes));
  }

  void remove(std::string_view name) {
    judge_.check_edit("remove", volume_.remove(kRootInode, name));
  }

  template <class Work>
  void in(std::string_view name, const Work& work) {
    const auto found = volume_.lookup(kRootInode, name);
    if (judge_.check_edit("lookup", found) && *found) work(**found);
  }

  void change(InodeNumber inode) {
    judge_.check_edit("change_attributes", volume_.change_attributes(inode, {.mode = 0400}));
    const std::string small = "small";
    const std::string big(600, 'b');
    judge_.check_edit("set_extended_attribute",
                      volume_.set_extended_attribute(inode, "security.selinux", bytes_of(small)));
    judge_.check_edit("set_extended_attribute",
                      volume_.set_extended_attribute(inode, "user.big", bytes_of(big)));
    judge_.check_edit("set_extended_attribute",
                      volume_.set_extended_attribute(inode, "user.other", std::nullopt));
  }

  Volume& volume_;
  Judge& judge_;
};

}  // namespace

void edit(const DamagedImage& damaged, unsigned steps, const Complaint& complain) {
  Canvas canvas(damaged);
  Judge judge(damaged, complain);
  auto volume = Volume::open_edit(canvas, damaged.partition(), TimePoint(std::chrono::seconds(1)));
  if (!judge.check("open_edit", volume)) return;
  Editor editor(*volume, judge);
  for (unsigned index = 0; index < 10; ++index) {
    if (((steps >> index) & 1U) != 0) editor.step(index);
  }
  const bool committed = judge.check_edit("commit", volume->commit());
  const auto patch = canvas.patch();
  if (!patch) return complain("the patch: " + patch.error().message());
  const Partition& partition = damaged.partition();
  for (const Write& write : patch->writes) {
    if (write.offset < partition.offset_bytes ||
        write.offset + write.bytes.size() > partition.offset_bytes + partition.size_bytes)
      complain(fmt::format("{} bytes are written at {}", write.bytes.size(), write.offset));
  }
  if (committed) read_all(canvas, damaged, complain);
}

}  // namespace imprint::image::test
