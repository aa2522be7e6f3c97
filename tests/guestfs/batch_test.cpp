// A batch, verify and the file commands on images whose data partition is btrfs, as users run them;
// judged by btrfs's own programs. The clones have one file system id, and must not be mixed up.

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "../cli/batch_fixture.hpp"
#include "imprint/guestfs/appliance.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::has_command;
using testing::HasSubstr;

void run(const std::vector<std::string>& argv, std::string_view input = {}) {
  const CommandResult result = run_command(argv, input);
  ASSERT_EQ(result.status, 0) << argv.front() << ": " << result.out << result.err;
}

/// Rootfs (ext4) as partition 1, data (btrfs) as partition 2: base.img.
void make_image() {
  fs::create_directories("root/etc/mender");
  std::ofstream("root/etc/mender/mender.conf") << R"({"ServerURL": "https://example.com"})";
  std::ofstream("root/etc/hostname") << "device\n";
  fs::create_directories("data/mender");
  std::ofstream("data/mender/device_type") << "device_type=x\n";
  run({"truncate", "-s", "16M", "root.ext4"});
  run({"mkfs.ext4", "-q", "-d", "root", "root.ext4"});
  run({"truncate", "-s", "128M", "data.btrfs"});
  run({"mkfs.btrfs", "-q", "-L", "data", "--rootdir", "data", "data.btrfs"});
  run({"truncate", "-s", "150M", "base.img"});
  run({"sfdisk", "-q", "base.img"}, "label: dos\nstart=2048,size=32768\nstart=34816,size=262144\n");
  run({"dd", "if=root.ext4", "of=base.img", "bs=1M", "seek=1", "conv=notrunc,sparse",
       "status=none"});
  run({"dd", "if=data.btrfs", "of=base.img", "bs=1M", "seek=17", "conv=notrunc,sparse",
       "status=none"});
}

/// The data partition as `btrfs check` and `btrfs restore` find it: a directory.
fs::path restored(const std::string& image) {
  const std::string part = image + ".data";
  run({"dd", "if=" + image, "of=" + part, "bs=1M", "skip=17", "count=128", "conv=sparse",
       "status=none"});
  run({"btrfs", "check", "--readonly", part});
  const fs::path directory = image + ".restored";
  fs::create_directory(directory);
  run({"btrfs", "restore", "-m", part, directory.string()});
  return directory;
}

TEST(GuestBatch, EveryImageHasItsOwnIdentityAndNoOther) {
  for (const char* program : {"mkfs.btrfs", "mkfs.ext4", "sfdisk", "btrfs", "openssl"}) {
    if (!has_command(program)) GTEST_SKIP() << "none of this can be tried: needs " << program;
  }
  if (const auto version = guestfs::library_version(); !version)
    GTEST_SKIP() << "none of this can be tried: " << version.error().message();
  BatchFolder folder(Variant::empty_b, 3);
  make_image();
  folder.manifest["image"] = "base.img";
  folder.manifest["output"]["name"] = "{id}.img";
  folder.save();
  const std::string before = imprint::test::sha256_of_file("base.img");

  const auto overlays = imprint({"batch", "manifest.json", "--format", "overlay"});
  EXPECT_EQ(overlays.status, 2);
  EXPECT_EQ(overlays.err,
            "imprint: error: manifest.json: overlays need a data partition that is ext2, ext3 or "
            "ext4, and 'base.img' has btrfs: set output.format to \"image\"\n");

  const auto made = imprint({"batch", "manifest.json", "--engine-timeout", "300"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(imprint::test::sha256_of_file("base.img"), before);
  for (int i = 1; i <= 3; ++i) {
    const std::string image = fmt::format("out/unit-{}.img", i);
    const fs::path data = restored(image);
    EXPECT_THAT(run_command({"openssl", "x509", "-noout", "-subject", "-in",
                             (data / "mender/mender-cert.pem").string()})
                    .out,
                HasSubstr(fmt::format("unit-{}.devices.example.com", i)));
    const auto of_key = run_command(
        {"openssl", "pkey", "-pubout", "-in", (data / "mender/mender-cert-private.pem").string()});
    const auto of_certificate = run_command({"openssl", "x509", "-noout", "-pubkey", "-in",
                                             (data / "mender/mender-cert.pem").string()});
    EXPECT_EQ(of_key.out, of_certificate.out);
    EXPECT_EQ(fs::status(data / "mender/mender-cert-private.pem").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    const ImageOracle oracle(image);
    EXPECT_EQ(oracle.complaints(1), "");
    EXPECT_THAT(oracle.cat(1, "/etc/mender/mender.conf"), HasSubstr("mender-cert-private.pem"));
    EXPECT_TRUE(fs::exists(image + ".bmap"));
  }
  const auto again = imprint({"batch", "manifest.json"});
  EXPECT_EQ(again.status, 0);
  EXPECT_THAT(again.err, HasSubstr("3 done before"));

  const auto verified = imprint({"verify", "out/unit-2.img", "--ca", "ca/ca-cert.pem"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  EXPECT_THAT(verified.out,
              HasSubstr("; but for partition 2, which has the key and holds btrfs\n"));
  // The kernel reads the ext partition as well.
  const auto by_kernel =
      imprint({"verify", "out/unit-2.img", "--ca", "ca/ca-cert.pem", "--engine", "guestfs"});
  EXPECT_EQ(by_kernel.status, 0) << by_kernel.out << by_kernel.err;

  folder.write("f", "by a file command\n");
  const auto installed =
      imprint({"install", "-m", "640", "--owner", "3:4", "f", "out/unit-3.img:/data/mender/f"});
  ASSERT_EQ(installed.status, 0) << installed.err;
  fs::remove_all("out/unit-3.img.restored");
  const fs::path data = restored("out/unit-3.img");
  EXPECT_EQ(slurp(data / "mender/f"), "by a file command\n");
  EXPECT_EQ(leftovers("."), std::vector<std::string>());

  const auto native = imprint({"cat", "--engine", "native", "out/unit-3.img:/data/mender/f"});
  EXPECT_EQ(native.status, 2);
  EXPECT_THAT(native.err,
              HasSubstr("partition 2 of 'out/unit-3.img' holds btrfs; use --engine guestfs"));
}

}  // namespace
}  // namespace imprint::cli::test
