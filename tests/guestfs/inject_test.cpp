// An image whose data partition is btrfs, through the engine as inject uses it.

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "guest_edit.hpp"
#include "imprint/image/partition.hpp"
#include "imprint/mender/conf.hpp"
#include "support/command.hpp"
#include "support/image_oracle.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::pipeline {
namespace {

using test::FailsWith;
using test::IsOk;

constexpr const char* kKey = "/data/mender/key.pem";
constexpr const char* kCertificate = "/data/mender/certificate.pem";

void run(const std::vector<std::string>& argv, std::string_view input = {}) {
  const test::CommandResult result = test::run_command(argv, input);
  ASSERT_EQ(result.status, 0) << argv.front() << ": " << result.out << result.err;
}

/// Rootfs on ext4 as partition 1, data on btrfs as partition 2.
fs::path make_image(const test::TempDir& dir) {
  fs::create_directories(dir / "root/etc/mender");
  std::ofstream(dir / "root/etc/mender/mender.conf") << R"({"ServerURL": "https://example.com"})";
  fs::create_directories(dir / "data/mender");
  std::ofstream(dir / "data/mender/device_type") << "device_type=x\n";
  const auto path = [&](const char* name) { return (dir / name).string(); };
  run({"truncate", "-s", "16M", path("root.ext4")});
  run({"mkfs.ext4", "-q", "-d", path("root"), path("root.ext4")});
  run({"truncate", "-s", "128M", path("data.btrfs")});
  run({"mkfs.btrfs", "-q", "-L", "data", "--rootdir", path("data"), path("data.btrfs")});
  run({"truncate", "-s", "150M", path("disk.img")});
  run({"sfdisk", "-q", path("disk.img")},
      "label: dos\nstart=2048,size=32768\nstart=34816,size=262144\n");
  run({"dd", "if=" + path("root.ext4"), "of=" + path("disk.img"), "bs=1M", "seek=1",
       "conv=notrunc,sparse", "status=none"});
  run({"dd", "if=" + path("data.btrfs"), "of=" + path("disk.img"), "bs=1M", "seek=17",
       "conv=notrunc,sparse", "status=none"});
  return dir / "disk.img";
}

golden::Recipe make_recipe(bool replace) {
  golden::Recipe recipe;
  recipe.device_files = {{kKey, {.mode = 0600}, 4, replace},
                         {kCertificate, {.mode = 0644}, 4, replace}};
  recipe.merges.push_back({.path = "/etc/mender/mender.conf",
                           .merge =
                               [](std::optional<std::string_view> existing) {
                                 return mender::merge_conf(
                                     existing.value_or("{}"),
                                     mender::identity_settings(kCertificate, kKey));
                               },
                           .must_exist = true,
                           .attributes_if_new = {}});
  return recipe;
}

TEST(GuestInject, WritesAnIdentityToBtrfs) {
  for (const char* program : {"mkfs.btrfs", "mkfs.ext4", "sfdisk", "btrfs"}) {
    if (!test::has_command(program)) GTEST_SKIP() << "none of this can be tried: needs " << program;
  }
  if (const auto version = guestfs::library_version(); !version)
    GTEST_SKIP() << "none of this can be tried: " << version.error().message();
  const test::TempDir dir;
  const fs::path base = make_image(dir);
  const std::string before = test::sha256_of_file(base);
  const auto image = image::FileImage::open(base);
  ASSERT_THAT(image, IsOk());
  const auto table = image::read_partition_table(*image);
  ASSERT_THAT(table, IsOk());
  ASSERT_EQ(table->partitions.size(), 2U);
  image::Layout layout;
  layout.partitions = table->partitions;
  layout.rootfs_a = table->partitions[0];
  layout.rootfs_a_populated = true;
  layout.data = table->partitions[1];
  EXPECT_TRUE(uses_appliance({}, layout));
  EXPECT_FALSE(uses_appliance({.engine = Engine::native}, layout));

  manifest::IdentitySpec identity;
  identity.key_path = kKey;
  identity.certificate_path = kCertificate;
  const nlohmann::ordered_json settings = nlohmann::ordered_json::object();
  const fs::path target = dir / "out.img";
  const std::string key = "the key of this device";
  const std::string certificate = "its certificate";
  const std::vector<ByteView> contents{bytes_of(key), bytes_of(certificate)};
  {
    auto edit =
        edit_through_guest({.image = *image,
                            .layout = layout,
                            .wanted = {.identity = identity, .settings = settings},
                            .target = target},
                           make_recipe(false), contents, {.timeout = std::chrono::seconds(300)});
    ASSERT_THAT(edit, IsOk());
    EXPECT_FALSE(fs::exists(target));
    ASSERT_THAT(edit->copy.publish_synced(), IsOk());
  }
  EXPECT_EQ(test::sha256_of_file(base), before) << "the image itself was written to";

  const test::ImageOracle oracle(target);
  EXPECT_EQ(oracle.complaints(1), "");
  EXPECT_THAT(oracle.cat(1, "/etc/mender/mender.conf"), testing::HasSubstr(kKey));
  run({"dd", "if=" + target.string(), "of=" + (dir / "part").string(), "bs=1M", "skip=17",
       "count=128", "conv=sparse", "status=none"});
  run({"btrfs", "check", "--readonly", (dir / "part").string()});
  fs::create_directory(dir / "restored");
  run({"btrfs", "restore", "-m", (dir / "part").string(), (dir / "restored").string()});
  EXPECT_EQ(test::slurp(dir / "restored/mender/key.pem"), key);
  EXPECT_EQ(test::slurp(dir / "restored/mender/certificate.pem"), certificate);
  EXPECT_EQ(fs::status(dir / "restored/mender/key.pem").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace
}  // namespace imprint::pipeline
