// Each test damages an otherwise right overlay in one way, and makes the damage consistent where it
// can be (a new checksum), so that only the check in question can see it.
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "disk_image.hpp"
#include "imprint/golden/golden.hpp"
#include "support/matchers.hpp"

namespace imprint::golden::test {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;

constexpr const char* kWhere = "data (partition 4): '/data/mender/mender-cert-private.pem': ";

class CheckOverlay : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_DISK_TOOLS();
    // Without checksums a damaged inode is seen by what it says alone.
    build({"-b", "1024", "-O", "^metadata_csum"});
  }

  void build(const std::vector<std::string>& data_options) {
    disk_ = std::make_unique<DiskImage>(DiskSpec{.data_options = data_options});
    Recipe recipe;
    recipe.device_files = identity_files();
    golden_ = std::make_unique<Golden>(
        Golden::build(disk_->base(), disk_->layout(), std::move(recipe)).value());
    ASSERT_THAT(golden_->make_overlay(views(contents_), overlay_), IsOk());
    ASSERT_THAT(golden_->check_overlay(views(contents_), overlay_), IsOk());
  }

  /// The overlay with a change to the bytes of one piece.
  template <class Change>
  [[nodiscard]] Overlay with(std::size_t piece_index, Change change) const {
    Overlay changed;
    for (std::size_t i = 0; i < overlay_.pieces().size(); ++i) {
      const Overlay::Piece& piece = overlay_.pieces()[i];
      const ByteView view = overlay_.bytes_of(piece);
      Bytes bytes(view.begin(), view.end());
      if (i == piece_index) change(bytes);
      changed.add(piece.offset, bytes);
    }
    changed.finish();
    return changed;
  }

  /// The piece that is the key's inode: 0600, 241 bytes.
  [[nodiscard]] std::size_t key_inode() const {
    for (std::size_t i = 0; i < overlay_.pieces().size(); ++i) {
      const ByteView bytes = overlay_.bytes_of(overlay_.pieces()[i]);
      if (bytes[0] == std::byte{0x80} && bytes[1] == std::byte{0x81} &&
          bytes[4] == std::byte{241}) {
        return i;
      }
    }
    ADD_FAILURE() << "no inode of the key";
    return 0;
  }

  [[nodiscard]] std::size_t key_content() const {
    for (std::size_t i = 0; i < overlay_.pieces().size(); ++i) {
      if (text_of(overlay_.bytes_of(overlay_.pieces()[i])) == contents_[0]) return i;
    }
    ADD_FAILURE() << "no content of the key";
    return 0;
  }

  /// The change of one byte of the key's inode is seen by both checks.
  void expect_seen(std::size_t offset, unsigned value, const std::string& message) {
    const Overlay changed =
        with(key_inode(), [&](Bytes& bytes) { bytes[offset] = static_cast<std::byte>(value); });
    EXPECT_THAT(golden_->check_overlay(views(contents_), changed),
                FailsWith(Code::check_failed, kWhere + message));
    EXPECT_THAT(golden_->check_overlay_by_path(views(contents_), changed), testing::Not(IsOk()));
  }

  std::vector<std::string> contents_{content(241, 1), content(900, 2)};
  std::unique_ptr<DiskImage> disk_;
  std::unique_ptr<Golden> golden_;
  Overlay overlay_;
};

TEST_F(CheckOverlay, SeesAnyWrongByteOfTheContent) {
  for (std::size_t i = 0; i < contents_[0].size(); i += 16) {
    const Overlay changed = with(key_content(), [i](Bytes& bytes) { bytes[i] ^= std::byte{1}; });
    EXPECT_THAT(golden_->check_overlay(views(contents_), changed),
                FailsWith(Code::check_failed,
                          std::string(kWhere) + "its content is not what it should be"));
    EXPECT_THAT(golden_->check_overlay_by_path(views(contents_), changed),
                FailsWith(Code::check_failed, "its content is not what it should be"));
  }
}

TEST_F(CheckOverlay, NeverShowsContent) {
  const Overlay changed = with(key_content(), [](Bytes& bytes) { bytes[3] ^= std::byte{1}; });
  const auto checked = golden_->check_overlay(views(contents_), changed);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().message().find(contents_[0].substr(0, 4)), std::string::npos);
}

TEST_F(CheckOverlay, SeesAWrongSize) {
  expect_seen(4, 240, "its size is 240, it should be 241");
  expect_seen(4, 242, "its size is 242, it should be 241");
}

TEST_F(CheckOverlay, SeesAWrongMode) {
  expect_seen(0, 0xA4, "its mode is 0644, it should be 0600");
}

TEST_F(CheckOverlay, SeesAWrongOwner) {
  expect_seen(2, 5, "its owner is 5:0, it should be 0:0");
  expect_seen(24, 6, "its owner is 0:6, it should be 0:0");
  expect_seen(120, 1, "its owner is 65536:0, it should be 0:0");
}

TEST_F(CheckOverlay, SeesAnotherType) {
  expect_seen(1, 0x41, "it is no regular file");
}

TEST_F(CheckOverlay, SeesABlockElsewhere) {
  // The start of the first extent: header (12), then logical block, length, high part, low part.
  const std::size_t at = 40 + 12 + 8;
  const auto there = overlay_.bytes_of(overlay_.pieces()[key_inode()])[at];
  expect_seen(at, std::to_integer<unsigned>(there) ^ 1U, "its content is not what it should be");
}

TEST_F(CheckOverlay, SeesADamagedExtentTree) {
  const auto refused = [this](std::size_t offset, unsigned value, const std::string& message) {
    const Overlay changed =
        with(key_inode(), [&](Bytes& bytes) { bytes[offset] = static_cast<std::byte>(value); });
    EXPECT_THAT(golden_->check_overlay(views(contents_), changed),
                FailsWith(Code::check_failed, kWhere + message));
  };
  refused(40, 0, "its extent tree is damaged");    // magic
  refused(42, 9, "its extent tree is damaged");    // more entries than fit
  refused(46, 200, "its extent tree is damaged");  // depth
  refused(42, 0, "0 blocks are mapped where its size needs 1");
  refused(40 + 12, 1, "its extent tree has a hole");  // logical block 1
  refused(40 + 12 + 5, 0x80 + 1, "an extent is not written");
  refused(26, 2, "it is not linked once");
  refused(20, 1, "it is not linked once");  // deletion time
}

TEST_F(CheckOverlay, SeesAMissingPiece) {
  Overlay without;
  for (std::size_t i = 0; i < overlay_.pieces().size(); ++i) {
    if (i == key_inode()) continue;
    without.add(overlay_.pieces()[i].offset, overlay_.bytes_of(overlay_.pieces()[i]));
  }
  without.finish();
  EXPECT_THAT(
      golden_->check_overlay(views(contents_), without),
      FailsWith(Code::check_failed, std::string(kWhere) + "the overlay does not write its inode"));
}

TEST_F(CheckOverlay, SeesAWriteElsewhere) {
  Overlay more = with(0, [](Bytes& /*bytes*/) {});
  more.add(disk_->layout().rootfs_a->offset_bytes + 1024, bytes_of("x"));
  more.finish();
  EXPECT_THAT(golden_->check_overlay(views(contents_), more),
              FailsWith(Code::check_failed, "the overlay writes where no device file is"));
}

TEST_F(CheckOverlay, SeesTheOverlayOfAnotherDevice) {
  const std::vector<std::string> other{content(241, 8), content(900, 9)};
  EXPECT_THAT(golden_->check_overlay(views(other), overlay_), FailsWith(Code::check_failed));
}

TEST_F(CheckOverlay, SeesAnyWrongByteOfACheckedInode) {
  build({"-b", "1024", "-O", "metadata_csum"});
  const std::size_t size = overlay_.bytes_of(overlay_.pieces()[key_inode()]).size();
  for (std::size_t i = 0; i < size; ++i) {
    const Overlay changed = with(key_inode(), [i](Bytes& bytes) { bytes[i] ^= std::byte{0x10}; });
    EXPECT_THAT(golden_->check_overlay(views(contents_), changed), FailsWith(Code::check_failed))
        << i;
  }
}

TEST_F(CheckOverlay, NamesAWrongChecksum) {
  build({"-b", "1024", "-O", "metadata_csum"});
  const Overlay changed = with(key_inode(), [](Bytes& bytes) { bytes[124] ^= std::byte{1}; });
  EXPECT_THAT(
      golden_->check_overlay(views(contents_), changed),
      FailsWith(Code::check_failed, std::string(kWhere) + "the checksum of its inode is wrong"));
}

}  // namespace
}  // namespace imprint::golden::test
