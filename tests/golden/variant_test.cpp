#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "disk_image.hpp"
#include "imprint/golden/golden.hpp"
#include "support/matchers.hpp"

namespace imprint::golden::test {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;

Recipe identity_recipe() {
  Recipe recipe;
  recipe.files = {
      {.path = "/data/shared", .content = Bytes(3000, std::byte{'s'}), .attributes = {}}};
  recipe.device_files = identity_files();
  return recipe;
}

std::string key_of(const fs::path& image, const DiskImage& disk) {
  return content_of(image, *disk.layout().data, "/mender/mender-cert-private.pem");
}

std::string certificate_of(const fs::path& image, const DiskImage& disk) {
  return content_of(image, *disk.layout().data, "/mender/mender-cert.pem");
}

/// Makes the device's image, has it judged, and returns nothing to complain about.
void expect_right(const Golden& golden, const DiskImage& disk,
                  const std::vector<std::string>& contents) {
  Overlay overlay;
  ASSERT_THAT(golden.make_overlay(views(contents), overlay), IsOk());
  EXPECT_THAT(golden.check_overlay(views(contents), overlay), IsOk());
  EXPECT_THAT(golden.check_overlay_by_path(views(contents), overlay), IsOk());
  const auto made = disk.apply(golden.patch(), overlay);
  EXPECT_EQ(fsck_complaints(made, disk.layout()), "");
  EXPECT_EQ(key_of(made, disk), contents[0]);
  EXPECT_EQ(certificate_of(made, disk), contents[1]);
  EXPECT_EQ(content_of(made, *disk.layout().data, "/shared"), std::string(3000, 's'));
  EXPECT_EQ(content_of(made, *disk.layout().data, "/mender/device_type"), "device_type=test\n");
}

TEST(Variant, ServesEveryNumberOfBlocks) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), identity_recipe());
  ASSERT_THAT(golden, IsOk());
  for (const std::size_t key : {1U, 1024U, 1025U, 2049U, 5120U}) {
    for (const std::size_t certificate : {900U, 1024U, 1025U, 4097U}) {
      SCOPED_TRACE(testing::Message() << key << " and " << certificate);
      expect_right(*golden, disk, {content(key, 1), content(certificate, 2)});
    }
  }
}

TEST(Variant, ServesFewerBlocksThanReserved) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  Recipe recipe = identity_recipe();
  for (DeviceFile& file : recipe.device_files)
    file.nominal_bytes = 4096;
  const auto golden = Golden::build(disk.base(), disk.layout(), std::move(recipe));
  ASSERT_THAT(golden, IsOk());
  expect_right(*golden, disk, {content(241, 1), content(3073, 2)});
  expect_right(*golden, disk, {content(241, 1), content(900, 2)});
  expect_right(*golden, disk, {content(3500, 1), content(3900, 2)});
}

TEST(Variant, WritesZerosBehindAContentOnBlocksThatHeldOldBytes) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk({.dirty_free_blocks = true});
  const auto golden = Golden::build(disk.base(), disk.layout(), identity_recipe());
  ASSERT_THAT(golden, IsOk());
  const auto nothing_old_behind = [&](const std::vector<std::string>& contents) {
    Overlay overlay;
    ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
    expect_right(*golden, disk, contents);
    const std::string made = whole(disk.apply(golden->patch(), overlay));
    for (const std::string& text : contents) {
      const std::size_t at = made.find(text);
      ASSERT_NE(at, std::string::npos);
      const std::size_t behind = (1024 - text.size() % 1024) % 1024;
      EXPECT_EQ(made.substr(at + text.size(), behind), std::string(behind, '\0'));
    }
  };
  nothing_old_behind({content(241, 1), content(900, 2)});
  nothing_old_behind({content(1500, 1), content(2500, 2)});
}

TEST(Variant, TakesItsBlocksFromDirtyOnesInThisTest) {
  // The test above is worth nothing if the allocator does not reach the blocks with old bytes.
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk({.dirty_free_blocks = true});
  const auto golden = Golden::build(disk.base(), disk.layout(), identity_recipe());
  ASSERT_THAT(golden, IsOk());
  const std::vector<std::string> contents{content(241, 1), content(2500, 2)};
  std::size_t dirty = 0;
  const auto touched = golden->touched_by(views(contents)).value();
  for (const image::DataRange& range : touched) {
    Bytes there(range.length_bytes);
    ASSERT_THAT(disk.base().read(range.offset, there), IsOk());
    if (there.front() == std::byte{0xA5}) ++dirty;
  }
  EXPECT_GT(dirty, 0U);
}

TEST(Variant, IsTheSameFromEveryGoldenImage) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto first = Golden::build(disk.base(), disk.layout(), identity_recipe());
  const auto second = Golden::build(disk.base(), disk.layout(), identity_recipe());
  const std::vector<std::string> contents{content(2000, 1), content(3000, 2)};
  const std::vector<std::string> others{content(1000, 1), content(5000, 2)};
  Overlay one;
  Overlay two;
  ASSERT_THAT(first->make_overlay(views(contents), one), IsOk());
  // Another variant before must not matter.
  ASSERT_THAT(second->make_overlay(views(others), two), IsOk());
  ASSERT_THAT(second->make_overlay(views(contents), two), IsOk());
  crypto::Sha256 hasher;
  EXPECT_EQ(one.digest(hasher), two.digest(hasher));
}

TEST(Variant, IsWhatAGoldenImageOfThatSizeWouldBe) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const std::vector<std::string> contents{content(2000, 1), content(3000, 2)};
  const auto made_for_others = Golden::build(disk.base(), disk.layout(), identity_recipe());
  Recipe recipe = identity_recipe();
  recipe.device_files[0].nominal_bytes = 2000;
  recipe.device_files[1].nominal_bytes = 3000;
  const auto made_for_this = Golden::build(disk.base(), disk.layout(), std::move(recipe));
  Overlay overlay;
  ASSERT_THAT(made_for_others->make_overlay(views(contents), overlay), IsOk());
  const std::string by_variant = whole(disk.apply(made_for_others->patch(), overlay));
  ASSERT_THAT(made_for_this->make_overlay(views(contents), overlay), IsOk());
  EXPECT_EQ(by_variant, whole(disk.apply(made_for_this->patch(), overlay)));
}

TEST(Variant, SaysThatThePartitionIsFullEveryTime) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), identity_recipe());
  ASSERT_THAT(golden, IsOk());
  const std::vector<std::string> huge{content(241, 1), content(9 << 20, 2)};
  Overlay overlay;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(
        golden->make_overlay(views(huge), overlay),
        FailsWith(Code::image_full, "data (partition 4): writing '/data/mender/mender-cert.pem'"));
  }
  expect_right(*golden, disk, {content(241, 1), content(900, 2)});
}

TEST(Variant, RefusesAnEmptyContent) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), identity_recipe());
  ASSERT_THAT(golden, IsOk());
  Overlay overlay;
  EXPECT_THAT(golden->make_overlay(views({"", "x"}), overlay),
              FailsWith(Code::invalid_input,
                        "'/data/mender/mender-cert-private.pem': the content is empty"));
}

TEST(Variant, IsTouchedWhereItsOverlayWrites) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), identity_recipe());
  const std::vector<std::string> contents{content(2000, 1), content(3000, 2)};
  Overlay overlay;
  ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
  const auto touched = golden->touched_by(views(contents));
  ASSERT_THAT(touched, IsOk());
  std::uint64_t end = 0;
  for (const image::DataRange& range : *touched) {
    EXPECT_GT(range.offset, end);
    end = range.offset + range.length_bytes;
  }
  for (const Overlay::Piece& piece : overlay.pieces()) {
    EXPECT_TRUE(std::ranges::any_of(*touched, [&piece](const image::DataRange& range) {
      return range.offset <= piece.offset &&
             piece.offset + piece.length <= range.offset + range.length_bytes;
    }));
  }
}

TEST(Variant, IsPlannedOnceForManyThreads) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), identity_recipe());
  ASSERT_THAT(golden, IsOk());
  std::vector<std::thread> threads;
  std::vector<std::set<crypto::Sha256Digest>> digests(8);
  std::atomic<int> failures = 0;
  for (std::set<crypto::Sha256Digest>& seen : digests) {
    threads.emplace_back([&golden, &seen, &failures] {
      crypto::Sha256 hasher;
      Overlay overlay;
      for (std::size_t round = 0; round < 200; ++round) {
        const std::vector<std::string> contents{content(200 + 1024 * (round % 4), 1),
                                                content(900 + 1024 * (round % 3), 2)};
        if (!golden->make_overlay(views(contents), overlay)) ++failures;
        if (!golden->check_overlay(views(contents), overlay)) ++failures;
        seen.insert(overlay.digest(hasher));
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(failures, 0);
  for (const auto& seen : digests) {
    EXPECT_EQ(seen.size(), 12U);
    EXPECT_EQ(seen, digests.front());
  }
}

}  // namespace
}  // namespace imprint::golden::test
