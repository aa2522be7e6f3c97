// File systems in which every field of what is read first has been set to what it must not be, and
// such that are cut off. What is expected of all is in damage.hpp; the fuzzer looks further.

#include "damage.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "imprint/image/decompress.hpp"
#include "imprint/image/ext_file_system.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using test::DamagedImage;

constexpr unsigned kAllSteps = 0x3ff;

[[nodiscard]] Bytes seed(const std::string& name) {
  const auto image = open_image(fs::path(IMPRINT_FIXTURES) / "ext" / (name + ".img.xz"),
                                {.directory = temporary_directory(), .stop = nullptr, .tell = {}});
  EXPECT_THAT(image, IsOk());
  Bytes bytes(static_cast<std::size_t>(image->size_bytes()));
  EXPECT_THAT(image->read(0, bytes), IsOk());
  return bytes;
}

[[nodiscard]] std::uint64_t get(ByteView bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = width; i-- > 0;)
    value = (value << 8) | std::to_integer<std::uint64_t>(bytes[at + i]);
  return value;
}

void put(MutableBytes bytes, std::size_t at, std::size_t width, std::uint64_t value) {
  for (std::size_t i = 0; i < width; ++i, value >>= 8)
    bytes[at + i] = static_cast<std::byte>(value);
}

/// Whether anything is as it should not be with the sound image; all others are read and edited.
class Damage : public testing::TestWithParam<std::string> {
 protected:
  void try_out(Bytes file_system, const std::string& what) {
    const test::Complaint complain = [&what](const std::string& complaint) {
      ADD_FAILURE() << what << ": " << complaint;
    };
    const DamagedImage damaged(std::move(file_system), complain);
    test::read_all(damaged, damaged, complain);
    test::edit(damaged, kAllSteps, complain);
    ++tried_;
  }

  /// Every field of these bytes, for all that a field may be: 2 or 4 bytes wide.
  void spoil(std::size_t begin, std::size_t end, const std::string& of) {
    for (const std::size_t width : {2U, 4U}) {
      for (std::size_t at = begin; at + width <= end; at += width) {
        const std::uint64_t old = get(sound_, at, width);
        for (const std::uint64_t value : {std::uint64_t{0}, ~std::uint64_t{0}, old + 1, old - 1}) {
          Bytes bytes = sound_;
          put(bytes, at, width, value);
          if (bytes == sound_) continue;
          try_out(std::move(bytes), fmt::format("{} + {}, {} bytes: {:#x} instead of {:#x}", of,
                                                at - begin, width, get(bytes, at, width), old));
        }
      }
    }
  }

  void SetUp() override { testing::internal::CaptureStderr(); }

  /// The library has a way of talking to it.
  void TearDown() override { EXPECT_EQ(testing::internal::GetCapturedStderr(), ""); }

  [[nodiscard]] std::size_t block_bytes() const {
    return std::size_t{1024} << get(sound_, 1024 + 24, 4);
  }

  /// Of the first group.
  [[nodiscard]] std::size_t descriptor() const {
    return (get(sound_, 1024 + 20, 4) + 1) * block_bytes();
  }

  [[nodiscard]] std::size_t inode(std::size_t number) const {
    return get(sound_, descriptor() + 8, 4) * block_bytes() +
           (number - 1) * get(sound_, 1024 + 88, 2);
  }

  Bytes sound_ = seed(GetParam());
  int tried_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Shapes, Damage,
                         testing::Values("extents", "blocks", "checksums", "inline", "clusters",
                                         "groups", "journal"),
                         [](const auto& param) { return param.param; });

TEST_P(Damage, SoundOnesAreReadAndEdited) {
  try_out(sound_, "sound");
}

TEST_P(Damage, OfTheSuperblock) {
  spoil(1024, 1024 + 0x178, "superblock");
  EXPECT_GT(tried_, 500);
}

TEST_P(Damage, OfGroupDescriptors) {
  spoil(descriptor(), descriptor() + 128, "descriptors");
}

TEST_P(Damage, OfTheRootDirectory) {
  spoil(inode(2), inode(2) + 160, "root inode");
  // Where it lies is the work of the shape: every block that names the file 'key' is one of it.
  const std::string name = "\x03\x01key";
  for (auto at = sound_.begin();; ++at) {
    at = std::search(at, sound_.end(), std::as_bytes(std::span(name)).begin(),
                     std::as_bytes(std::span(name)).end());
    if (at == sound_.end()) break;
    const auto offset = static_cast<std::size_t>(at - sound_.begin());
    spoil(offset - offset % block_bytes(), offset - offset % block_bytes() + 128, "root directory");
  }
  EXPECT_GT(tried_, 200);
}

TEST_P(Damage, CutOffAnywhere) {
  for (std::size_t size = 0; size < sound_.size(); size += size < 4096 ? 512 : 16 * 1024 - 512) {
    try_out(Bytes(sound_.begin(), sound_.begin() + static_cast<std::ptrdiff_t>(size)),
            fmt::format("{} bytes", size));
  }
}

/// The entry of an extent tree: header fields and entries are of 12 bytes.
void put_extent(MutableBytes inode, std::size_t index, std::uint64_t logical, std::uint64_t blocks,
                std::uint64_t physical) {
  const std::size_t at = 40 + 12 * (index + 1);
  put(inode, at, 4, logical);
  put(inode, at + 4, 2, blocks);
  put(inode, at + 6, 2, 0);
  put(inode, at + 8, 4, physical);
}

class DamagedExtents : public testing::Test {
 protected:
  /// Of a name in the root directory.
  InodeNumber inode_number(const std::string& name) {
    const auto found = volume().lookup(kRootInode, name);
    EXPECT_TRUE(found && *found) << name;
    return **found;
  }

  /// Its bytes.
  MutableBytes inode_of(const std::string& name) {
    const std::size_t descriptor = 2048;
    const std::size_t table = get(bytes_, descriptor + 8, 4) * 1024;
    return MutableBytes(bytes_).subspan(table + (inode_number(name) - 1) * 256, 256);
  }

  /// Of the bytes as they are now; until the next call.
  Volume& volume() {
    volume_.reset();
    image_ = std::make_unique<DamagedImage>(bytes_, complain_);
    volume_ = std::make_unique<Volume>(Volume::open_read(*image_, image_->partition()).value());
    return *volume_;
  }

  void try_out() {
    const DamagedImage damaged(bytes_, complain_);
    test::read_all(damaged, damaged, complain_);
    test::edit(damaged, kAllSteps, complain_);
  }

  test::Complaint complain_ = [](const std::string& what) { ADD_FAILURE() << what; };
  std::unique_ptr<DamagedImage> image_;
  std::unique_ptr<Volume> volume_;
  Bytes bytes_ = seed("extents");
};

// A reader that goes on behind the end of a directory would read these for a long time.
TEST_F(DamagedExtents, BehindTheEndOfADirectory) {
  const MutableBytes inode = inode_of("many");
  const std::uint64_t first = get(inode, 40 + 12 + 8, 4);
  const std::uint64_t blocks = get(inode, 40 + 12 + 4, 2);
  put(inode, 42, 2, 4);
  for (std::size_t i = 1; i < 4; ++i)
    put_extent(inode, i, 1000 * i, blocks, first);
  try_out();
  const InodeNumber many = inode_number("many");
  const auto names = volume().list(many);
  EXPECT_THAT(names, FailsWith(Code::corrupt, "cannot be right; repair the file system"));
}

// The same blocks again and again: a file that is larger than its file system.
TEST_F(DamagedExtents, ThatRepeatBlocks) {
  const MutableBytes inode = inode_of("large");
  put(inode, 4, 4, 4 * 300 * 1024);
  put(inode, 42, 2, 4);
  for (std::size_t i = 0; i < 4; ++i)
    put_extent(inode, i, 300 * i, 300, 50);
  try_out();
  const InodeNumber large = inode_number("large");
  const auto read = volume().read_file(large, 1U << 30);
  EXPECT_THAT(read, FailsWith(Code::corrupt, "cannot be right; repair the file system"));
}

// A directory inside itself, and one with two names: `cp -r` would never come to an end.
TEST(DamagedDirectories, AreListedWhereTheyAreOnly) {
  IMPRINT_NEED_COMMAND("mke2fs");
  IMPRINT_NEED_COMMAND("debugfs");
  for (const std::string option : {"^inline_data", "inline_data"}) {
    test::ExtImage image({.name = "loops", .options = {"-t", "ext4", "-O", option}});
    image.prepare({"mkdir /a", "mkdir /a/b", "mkdir /c", "link /a /a/b/loop", "link /c /a/second",
                   "mkdir /d", "mkdir /d/once", "link /d/once /d/twice", "mkdir /files",
                   "link /d/once /files/here"});
    ExtFileSystem file_system(Volume::open_read(image.image(), image.partition()).value());
    for (const std::string sound : {"/", "/a", "/a/", "/a/b", "/c"})
      EXPECT_THAT(file_system.list(sound), IsOk()) << sound;
    for (const std::string twice : {"/a/b/loop", "/a/second", "/files/here"})
      EXPECT_THAT(
          file_system.list(twice),
          FailsWith(Code::corrupt, "but says that it is in another; repair the file system"))
          << twice;
    EXPECT_THAT(file_system.list("/d"), FailsWith(Code::corrupt, "has two names in the one in"));
  }
}

}  // namespace
}  // namespace imprint::image
