#include "imprint/golden/golden.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "disk_image.hpp"
#include "imprint/golden/store.hpp"
#include "support/matchers.hpp"

namespace imprint::golden::test {
namespace {

using imprint::test::FailsWith;
using imprint::test::IsOk;
using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kConf = "/etc/mender/mender.conf";
constexpr const char* kMergedConf = "{\n  \"ServerURL\": \"https://new\"\n}\n";

MergedFile conf_merge() {
  return {.path = kConf,
          .merge = [](std::optional<std::string_view> existing) -> Result<std::string> {
            if (!existing) return std::string("{}\n");
            if (existing->find("https://old") == std::string_view::npos) {
              return fail(Code::invalid_input, "line 1, column 1: no object");
            }
            return std::string(kMergedConf);
          },
          .must_exist = true,
          .attributes_if_new = {.mode = 0600}};
}

SharedFile shared(std::string path, std::string_view text, image::Attributes attributes = {}) {
  const ByteView bytes = bytes_of(text);
  return {.path = std::move(path),
          .content = Bytes(bytes.begin(), bytes.end()),
          .attributes = attributes};
}

Recipe full_recipe() {
  Recipe recipe;
  recipe.files = {shared("/etc/mender/server.crt", "SERVER\n"),
                  shared("/data/wifi/psk", "secret\n", {.mode = 0600, .uid = 7, .gid = 8})};
  recipe.merges = {conf_merge()};
  recipe.device_files = identity_files();
  return recipe;
}

TEST(Golden, AppliesTheRecipeToBothRootfsAndTheData) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(golden, IsOk());
  const auto made = disk.apply(golden->patch());

  EXPECT_EQ(fsck_complaints(made, disk.layout()), "");
  for (const image::Partition* root : {&*disk.layout().rootfs_a, &*disk.layout().rootfs_b}) {
    EXPECT_EQ(content_of(made, *root, kConf), kMergedConf);
    // The base image's files belong to whoever ran mke2fs; a merged file keeps its owner.
    EXPECT_EQ(attributes_of(made, *root, kConf),
              fmt::format("0600 {}:{} {}", ::geteuid(), ::getegid(), strlen(kMergedConf)));
    EXPECT_EQ(content_of(made, *root, "/etc/mender/server.crt"), "SERVER\n");
    EXPECT_EQ(attributes_of(made, *root, "/etc/mender/server.crt"), "0644 0:0 7");
    EXPECT_EQ(content_of(made, *root, "/etc/hostname"), "unnamed\n");
  }
  const image::Partition& data = *disk.layout().data;
  EXPECT_EQ(content_of(made, data, "/wifi/psk"), "secret\n");
  EXPECT_EQ(attributes_of(made, data, "/wifi/psk"), "0600 7:8 7");
  EXPECT_EQ(attributes_of(made, data, "/mender/mender-cert-private.pem"), "0600 0:0 1024");
  EXPECT_EQ(attributes_of(made, data, "/mender/mender-cert.pem"), "0644 0:0 1024");
  EXPECT_EQ(content_of(made, data, "/mender/device_type"), "device_type=test\n");
  EXPECT_THAT(golden->notes(), SizeIs(0));
}

TEST(Golden, WritesADeviceByItsOverlay) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(golden, IsOk());
  const std::vector<std::string> contents{content(241, 1), content(877, 2)};
  Overlay overlay;
  ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
  EXPECT_EQ(overlay.pieces().size(), 4U) << "two inodes and two contents";
  EXPECT_EQ(overlay.total_bytes(), 241U + 877U + 2 * 256U);

  const auto made = disk.apply(golden->patch(), overlay);
  EXPECT_EQ(fsck_complaints(made, disk.layout()), "");
  const image::Partition& data = *disk.layout().data;
  EXPECT_EQ(content_of(made, data, "/mender/mender-cert-private.pem"), contents[0]);
  EXPECT_EQ(attributes_of(made, data, "/mender/mender-cert-private.pem"), "0600 0:0 241");
  EXPECT_EQ(content_of(made, data, "/mender/mender-cert.pem"), contents[1]);
  EXPECT_EQ(attributes_of(made, data, "/mender/mender-cert.pem"), "0644 0:0 877");
  EXPECT_THAT(golden->check_overlay(views(contents), overlay), IsOk());
  EXPECT_THAT(golden->check_overlay_by_path(views(contents), overlay), IsOk());
}

TEST(Golden, GivesTheSameImageThroughTheStore) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(golden, IsOk());
  const std::vector<std::string> contents{content(241, 1), content(1100, 2)};
  Overlay overlay;
  ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
  const imprint::test::TempDir dir;
  {
    auto store = OverlayStore::open_or_create(
        dir / "overlays.db", {.base_path = disk.base().path(), .golden_patch = golden->patch()});
    ASSERT_THAT(store, IsOk());
    crypto::SecretBytes serialized;
    overlay.serialize(serialized);
    const OverlayStore::Item item{
        .device_id = "dev", .image_name = "dev.img", .serialized = serialized.view()};
    ASSERT_THAT(store->put(std::span(&item, 1)), IsOk());
  }

  const auto store = OverlayStore::open(dir / "overlays.db").value();
  Overlay stored;
  ASSERT_THAT(stored.parse(store.get("dev").value().serialized.view()), IsOk());
  ASSERT_THAT(write_golden_file(disk.base(), store.header().golden_patch, dir / "image"), IsOk());
  {
    auto file = File::open_read_write(dir / "image").value();
    ASSERT_THAT(stored.apply(file), IsOk());
  }
  EXPECT_EQ(whole(dir / "image"), whole(disk.apply(golden->patch(), overlay)));
}

TEST(Golden, KeepsEveryFileSystemKindClean) {
  IMPRINT_NEED_DISK_TOOLS();
  const std::vector<std::vector<std::string>> kinds{
      {"-b", "4096"},
      {"-b", "2048", "-O", "^metadata_csum"},
      {"-b", "1024", "-I", "128"},
      {"-b", "1024", "-O", "metadata_csum_seed"},
      {"-b", "1024", "-O", "^extent,^64bit,^metadata_csum"},
      {"-b", "1024", "-O", "^has_journal"},
      {"-b", "1024", "-t", "ext2"},
      {"-b", "4096", "-I", "1024"}};
  for (const auto& options : kinds) {
    SCOPED_TRACE(testing::PrintToString(options));
    const DiskImage disk({.data_options = options});
    auto recipe = full_recipe();
    recipe.device_files.push_back({.path = "/data/large",
                                   .attributes = {.mode = 0640, .uid = 70000},
                                   .nominal_bytes = 40000});
    const auto golden = Golden::build(disk.base(), disk.layout(), std::move(recipe));
    ASSERT_THAT(golden, IsOk());
    const std::vector<std::string> contents{content(230, 1), content(950, 2), content(40000, 3)};
    Overlay overlay;
    ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
    EXPECT_THAT(golden->check_overlay(views(contents), overlay), IsOk());
    EXPECT_THAT(golden->check_overlay_by_path(views(contents), overlay), IsOk());
    const auto made = disk.apply(golden->patch(), overlay);
    EXPECT_EQ(fsck_complaints(made, disk.layout()), "");
    EXPECT_EQ(content_of(made, *disk.layout().data, "/mender/mender-cert-private.pem"),
              contents[0]);
    EXPECT_EQ(content_of(made, *disk.layout().data, "/large"), contents[2]);
  }
}

TEST(Golden, LeavesAnEmptyBAloneAndSaysSo) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk({.populated_b = false});
  const auto golden = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(golden, IsOk());
  EXPECT_THAT(golden->notes(),
              testing::ElementsAre("rootfs B (partition 3) has no /etc/mender: left alone"));
  const image::Partition& b = *disk.layout().rootfs_b;
  for (const image::Write& write : golden->patch().writes) {
    EXPECT_TRUE(write.offset + write.bytes.size() <= b.offset_bytes ||
                write.offset >= b.offset_bytes + b.size_bytes);
  }
  EXPECT_EQ(fsck_complaints(disk.apply(golden->patch()), disk.layout()), "");
}

TEST(Golden, DoesNotTouchARootfsThatNoPathNeeds) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  Recipe recipe;
  recipe.device_files = identity_files();
  const auto golden = Golden::build(disk.base(), disk.layout(), std::move(recipe));
  ASSERT_THAT(golden, IsOk());
  for (const image::Write& write : golden->patch().writes) {
    EXPECT_GE(write.offset, disk.layout().data->offset_bytes);
  }
  EXPECT_THAT(golden->notes(), SizeIs(0));
}

TEST(Golden, FollowsLinksFromTheRootfsToTheDataOnce) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  Recipe recipe;
  recipe.files = {shared("/var/lib/mender/shared", "S\n")};
  recipe.device_files = {
      {.path = "/var/lib/mender/new/key", .attributes = {.mode = 0600}, .nominal_bytes = 100}};
  const auto golden = Golden::build(disk.base(), disk.layout(), std::move(recipe));
  ASSERT_THAT(golden, IsOk());
  ASSERT_THAT(golden->placed_files(), SizeIs(1));
  EXPECT_EQ(golden->placed_files()[0].partition, 4);
  EXPECT_EQ(golden->placed_files()[0].path, "/var/lib/mender/new/key");
  ASSERT_THAT(golden->shared_files(), SizeIs(1));
  EXPECT_EQ(golden->shared_files()[0].partition, 4);
  EXPECT_EQ(golden->shared_files()[0].path, "/var/lib/mender/shared");

  const std::vector<std::string> contents{content(99, 1)};
  Overlay overlay;
  ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
  EXPECT_THAT(golden->check_overlay_by_path(views(contents), overlay), IsOk());
  const auto made = disk.apply(golden->patch(), overlay);
  EXPECT_EQ(fsck_complaints(made, disk.layout()), "");
  EXPECT_EQ(content_of(made, *disk.layout().data, "/mender/new/key"), contents[0]);
  EXPECT_EQ(content_of(made, *disk.layout().data, "/mender/shared"), "S\n");
  EXPECT_THAT(debugfs(made, *disk.layout().data, "stat /mender/new"), HasSubstr("Mode:  0700"));
}

TEST(Golden, WritesADeviceFileOfTheRootfsIntoAAndB) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  Recipe recipe = full_recipe();
  recipe.device_files.push_back(
      {.path = "/etc/hostname", .attributes = {.mode = 0644}, .nominal_bytes = 10});
  const auto golden = Golden::build(disk.base(), disk.layout(), std::move(recipe));
  ASSERT_THAT(golden, IsOk());
  EXPECT_THAT(golden->placed_files(), SizeIs(4));
  EXPECT_THAT(
      golden->notes(),
      testing::ElementsAre(
          "rootfs A (partition 2): '/etc/hostname' is in the base image already and is replaced",
          "rootfs B (partition 3): '/etc/hostname' is in the base image already and is replaced"));

  const std::vector<std::string> contents{content(241, 1), content(900, 2), "unit-0042\n"};
  Overlay overlay;
  ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
  EXPECT_THAT(golden->check_overlay(views(contents), overlay), IsOk());
  EXPECT_THAT(golden->check_overlay_by_path(views(contents), overlay), IsOk());
  const auto made = disk.apply(golden->patch(), overlay);
  EXPECT_EQ(fsck_complaints(made, disk.layout()), "");
  EXPECT_EQ(content_of(made, *disk.layout().rootfs_a, "/etc/hostname"), "unit-0042\n");
  EXPECT_EQ(content_of(made, *disk.layout().rootfs_b, "/etc/hostname"), "unit-0042\n");
}

TEST(Golden, ComesOutTheSameEveryTime) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto first = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(first, IsOk());
  // Into another second: no clock may get in.
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const auto second = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(first->patch().digest(), second->patch().digest());
}

TEST(Golden, DoesNotWriteTheBase) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto before = content_digest(disk.base());
  ASSERT_THAT(Golden::build(disk.base(), disk.layout(), full_recipe()), IsOk());
  EXPECT_EQ(content_digest(disk.base()).value(), before.value());
}

TEST(Golden, SaysWhatOverlaysTouch) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  const auto golden = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(golden, IsOk());
  const auto touched = golden->touched();
  Overlay overlay;
  const std::vector<std::string> contents{content(1024, 1), content(1, 2)};
  ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
  for (const Overlay::Piece& piece : overlay.pieces()) {
    EXPECT_TRUE(std::ranges::any_of(touched, [&piece](const image::DataRange& range) {
      return range.offset <= piece.offset &&
             piece.offset + piece.length <= range.offset + range.length_bytes;
    }));
  }
  std::uint64_t total = 0;
  for (const image::DataRange& range : touched)
    total += range.length_bytes;
  EXPECT_EQ(total, 2 * (256U + 1024U));
  EXPECT_THAT(golden->touched_by(views(contents)), IsOk());
}

TEST(Golden, MakesAMissingFileOfAMerge) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  Recipe recipe;
  MergedFile fallback = conf_merge();
  fallback.path = "/data/mender/mender.conf";
  fallback.must_exist = false;
  recipe.merges = {fallback};
  const auto golden = Golden::build(disk.base(), disk.layout(), std::move(recipe));
  ASSERT_THAT(golden, IsOk());
  const auto made = disk.apply(golden->patch());
  EXPECT_EQ(content_of(made, *disk.layout().data, "/mender/mender.conf"), "{}\n");
  EXPECT_EQ(attributes_of(made, *disk.layout().data, "/mender/mender.conf"), "0600 0:0 3");
}

TEST(Golden, MergesOntoAFileOfTheSameRecipe) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  Recipe recipe = full_recipe();
  recipe.files.push_back(shared(kConf, "also https://old\n", {.mode = 0640}));
  const auto golden = Golden::build(disk.base(), disk.layout(), std::move(recipe));
  ASSERT_THAT(golden, IsOk());
  const auto made = disk.apply(golden->patch());
  EXPECT_EQ(content_of(made, *disk.layout().rootfs_a, kConf), kMergedConf);
  EXPECT_THAT(attributes_of(made, *disk.layout().rootfs_a, kConf), HasSubstr("0640 0:0"));
}

TEST(Golden, KeepsModeAndOwnerOfAMergedFile) {
  IMPRINT_NEED_DISK_TOOLS();
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file an owner";
  const DiskImage disk({.prepare_rootfs = [](const fs::path& rootfs) {
    const fs::path conf = rootfs / "etc/mender/mender.conf";
    fs::permissions(conf, fs::perms(0604));
    ASSERT_EQ(::chown(conf.c_str(), 12, 34), 0);
  }});
  const auto golden = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(golden, IsOk());
  EXPECT_EQ(attributes_of(disk.apply(golden->patch()), *disk.layout().rootfs_a, kConf),
            fmt::format("0604 12:34 {}", strlen(kMergedConf)));
}

TEST(Golden, MentionsAReplacedIdentityAndWipesIt) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk({.prepare_data = [](const fs::path& data) {
    std::ofstream(data / "mender/mender-cert-private.pem") << "the old private key";
  }});
  const auto golden = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(golden, IsOk());
  EXPECT_THAT(golden->notes(),
              Contains("data (partition 4): '/data/mender/mender-cert-private.pem' is in the base "
                       "image already and is replaced"));
  const auto made = disk.apply(golden->patch());
  EXPECT_EQ(whole(made).find("the old private key"), std::string::npos);
  EXPECT_EQ(fsck_complaints(made, disk.layout()), "");
}

TEST(Golden, RefusesToReplaceAnIdentityUnasked) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk({.prepare_data = [](const fs::path& data) {
    std::ofstream(data / "mender/mender-cert.pem") << "old";
  }});
  Recipe recipe = full_recipe();
  for (DeviceFile& file : recipe.device_files)
    file.replace = false;
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), std::move(recipe)),
              FailsWith(Code::exists,
                        "data (partition 4): '/data/mender/mender-cert.pem': exists "
                        "already; --force replaces it"));
}

TEST(Golden, NamesPartitionAndPathOfABrokenConf) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk({.prepare_rootfs = [](const fs::path& rootfs) {
    std::ofstream(rootfs / "etc/mender/mender.conf") << "not json";
  }});
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), full_recipe()),
              FailsWith(Code::invalid_input,
                        "rootfs A (partition 2): '/etc/mender/mender.conf': "
                        "line 1, column 1: no object"));
}

TEST(Golden, NeedsTheConfInA) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk({.prepare_rootfs = [](const fs::path& rootfs) {
    fs::remove(rootfs / "etc/mender/mender.conf");
  }});
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), full_recipe()),
              FailsWith(Code::not_found,
                        "rootfs A (partition 2): '/etc/mender/mender.conf': is "
                        "missing: the image must have the file that is to be changed"));
}

TEST(Golden, SaysWhenOnlyBHasNoConf) {
  IMPRINT_NEED_DISK_TOOLS();
  DiskImage disk({.populated_b = false});
  // As if B had /etc/mender, but no file in it.
  disk.layout().rootfs_b_populated = true;
  const auto golden = Golden::build(disk.base(), disk.layout(), full_recipe());
  ASSERT_THAT(golden, IsOk());
  EXPECT_THAT(golden->notes(), Contains("rootfs B (partition 3) has no '/etc/mender/mender.conf': "
                                        "left alone"));
  EXPECT_EQ(
      content_of(disk.apply(golden->patch()), *disk.layout().rootfs_b, "/etc/mender/server.crt"),
      "SERVER\n");
}

TEST(Golden, RefusesRootfsPathsWithoutARootfs) {
  IMPRINT_NEED_DISK_TOOLS();
  DiskImage disk;
  disk.layout().rootfs_a.reset();
  disk.layout().rootfs_b.reset();
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), full_recipe()),
              FailsWith(Code::unsupported, "no partition of the image is a rootfs"));
  disk.layout().partitions[1].file_system = "squashfs";
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), full_recipe()),
              FailsWith(Code::unsupported,
                        "partition 2 is squashfs, which cannot be edited: write to the data "
                        "partition instead (paths under /data, mender_conf.target \"data\")"));
  Recipe recipe;
  recipe.device_files = identity_files();
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), std::move(recipe)), IsOk());
}

TEST(Golden, RefusesTwoPathsThatAreOneFile) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  Recipe recipe = full_recipe();
  recipe.device_files.push_back(
      {.path = "/var/lib/mender/mender-cert.pem", .attributes = {}, .nominal_bytes = 9});
  EXPECT_THAT(
      Golden::build(disk.base(), disk.layout(), std::move(recipe)),
      FailsWith(Code::invalid_input,
                "data (partition 4): '/var/lib/mender/mender-cert.pem': is the same file as "
                "'/data/mender/mender-cert.pem': name it once"));

  recipe = full_recipe();
  recipe.files.push_back(shared(std::string(kKeyPath), "shared key?\n"));
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), std::move(recipe)),
              FailsWith(Code::invalid_input, "is both a shared and a per-device file"));
}

TEST(Golden, SaysThatTheDataPartitionIsFull) {
  IMPRINT_NEED_DISK_TOOLS();
  const DiskImage disk;
  Recipe recipe = full_recipe();
  recipe.files.push_back(shared("/data/filler", std::string(8 << 20, 'x')));
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), std::move(recipe)),
              FailsWith(Code::image_full, "data (partition 4): writing '/data/filler'"));
}

TEST(Golden, PassesOnWhyAFileSystemCannotBeOpened) {
  IMPRINT_NEED_DISK_TOOLS();
  DiskImage disk;
  disk.layout().data->size_bytes = 1 << 20;
  EXPECT_THAT(Golden::build(disk.base(), disk.layout(), full_recipe()),
              FailsWith(Code::corrupt, "partition 4 ('data')"));
}

TEST(Golden, HoldsOnARealisticImage) {
  IMPRINT_NEED_DISK_TOOLS();
  const fs::path path = fs::path(IMPRINT_SOURCE_DIR) / "build/images/mender-populated.sdimg";
  if (!fs::exists(path)) GTEST_SKIP() << "needs the image that scripts/make-image makes";
  const auto base = image::FileImage::open(path).value();
  const auto layout = image::find_layout(base);
  ASSERT_THAT(layout, IsOk());
  Recipe recipe;
  recipe.merges = {{.path = kConf,
                    .merge =
                        [](std::optional<std::string_view> existing) {
                          return Result<std::string>(std::string(existing.value_or("")) + "\n");
                        },
                    .must_exist = true,
                    .attributes_if_new = {}}};
  recipe.device_files = identity_files();
  const auto golden = Golden::build(base, *layout, std::move(recipe));
  ASSERT_THAT(golden, IsOk());
  const std::vector<std::string> contents{content(241, 1), content(900, 2)};
  Overlay overlay;
  ASSERT_THAT(golden->make_overlay(views(contents), overlay), IsOk());
  EXPECT_THAT(golden->check_overlay(views(contents), overlay), IsOk());

  const imprint::test::TempDir dir;
  ASSERT_THAT(write_golden_file(base, golden->patch(), dir / "golden"), IsOk());
  {
    auto file = File::open_read_write(dir / "golden").value();
    ASSERT_THAT(overlay.apply(file), IsOk());
  }
  EXPECT_EQ(fsck_complaints(dir / "golden", *layout), "");
  EXPECT_EQ(content_of(dir / "golden", *layout->data, "/mender/mender-cert-private.pem"),
            contents[0]);
  EXPECT_THAT(attributes_of(dir / "golden", *layout->rootfs_a, kConf), HasSubstr("0600 0:0"));
}

}  // namespace
}  // namespace imprint::golden::test
