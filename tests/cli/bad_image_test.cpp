// Base images that nothing should be written to, made from a real one with e2fsprogs.

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "refusal.hpp"

namespace imprint::cli::test {
namespace {

std::function<void(BatchFolder&)> image_is(const fs::path& path) {
  return [path](BatchFolder& folder) {
    folder.manifest["image"] = path.string();
    folder.save();
  };
}

/// A copy of the image, changed by these commands (argv, input).
using Command = std::pair<std::vector<std::string>, std::string>;

std::function<void(BatchFolder&)> changed(const std::vector<Command>& commands) {
  return [commands](BatchFolder& folder) {
    folder.own_image();
    for (const auto& [argv, input] : commands) {
      const auto result = run_command(argv, input);
      ASSERT_EQ(result.status, 0) << argv[0] << ": " << result.out << result.err;
    }
  };
}

/// debugfs requests on one partition of a copy of the image.
std::function<void(BatchFolder&)> debugfs(int partition, const std::vector<std::string>& requests,
                                          const std::map<std::string, std::string>& inputs = {}) {
  return [=](BatchFolder& folder) {
    for (const auto& [name, content] : inputs)
      folder.write(name, content);
    const ImageOracle image(folder.own_image());
    image.change(partition, requests);
    for (const auto& [name, content] : inputs)
      fs::remove(name);
  };
}

/// A data partition made anew, with the device type it must have and no inode left.
void use_up_inodes(BatchFolder& folder) {
  folder.own_image();
  folder.write("type", "device_type=test\n");
  const ImageOracle image("own.sdimg");
  const auto& data = image.partitions().back();
  const auto made = run_command({"mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-N", "16", "-L",
                                 "data", "-E", fmt::format("offset={}", data.offset_bytes),
                                 "own.sdimg", fmt::format("{}k", data.size_bytes / 1024)});
  ASSERT_EQ(made.status, 0) << made.err;
  image.change(kData, {"mkdir /mender", "write type /mender/device_type"});
  fs::remove("type");

  const std::string statistics = image.debugfs(kData, "stats -h");
  constexpr std::string_view kFree = "Free inodes:";
  const std::size_t at = statistics.find(kFree);
  ASSERT_NE(at, std::string::npos) << statistics;
  const int left = std::stoi(statistics.substr(at + kFree.size()));
  std::vector<std::string> requests;
  for (int i = 0; i < left; ++i)
    requests.push_back(fmt::format("mkdir /{}", i));
  image.change(kData, requests);
}

TEST(BadImage, FilesThatAreNoDiskImageAreRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  expect_refusals({
      {"missing", image_is("nowhere.sdimg"),
       "manifest.json: /image: opening 'nowhere.sdimg': No such file or directory"},
      {"a directory", image_is("ca"), "manifest.json: /image: 'ca' is not a regular file"},
      {"a text", image_is("devices.csv"),
       "'devices.csv' has neither a partition table (MBR or GPT) nor a file system; is it a disk "
       "image?"},
      {"empty",
       [](BatchFolder& folder) {
         folder.write("empty.img", "");
         image_is("empty.img")(folder);
       },
       "'empty.img' is empty"},
      {"truncated", changed({{{"truncate", "-s", "900M", "own.sdimg"}, ""}}),
       "'own.sdimg' is truncated: it has 943718400 bytes, but partition 4 ends at byte 1048576000; "
       "get it again"},
      {"no partition table",
       changed(
           {{{"dd", "of=own.sdimg", "bs=512", "count=1", "conv=notrunc"}, std::string(512, '\0')}}),
       "'own.sdimg' has neither a partition table (MBR or GPT) nor a file system; is it a disk "
       "image?"},
      {"compressed",
       changed({{{"truncate", "-s", "1M", "own.sdimg"}, ""},
                {{"gzip", "-1", "own.sdimg"}, ""},
                {{"mv", "own.sdimg.gz", "own.sdimg"}, ""}}),
       "'own.sdimg' is truncated: it has 1048576 bytes, but partition 1 ends at byte 25165824; "
       "get it again"},
      {"compressed and cut off",
       changed({{{"truncate", "-s", "1M", "own.sdimg"}, ""},
                {{"gzip", "-1", "own.sdimg"}, ""},
                {{"mv", "own.sdimg.gz", "own.sdimg"}, ""},
                {{"truncate", "-s", "-9", "own.sdimg"}, ""}}),
       "manifest.json: /image: 'own.sdimg' is cut off: its gzip data has no end; get it again"},
      {"a compressed archive", changed({{{"tar", "-czf", "own.sdimg", "devices.csv"}, ""}}),
       "'own.sdimg' is a tar archive (as Mender Artifacts are); a disk image is needed"},
      {"compressed by something else",
       changed({{{"dd", "of=own.sdimg", "status=none"}, "PK\x03\x04 and so on"}}),
       "'own.sdimg' is zip compressed; decompress it first"},
      {"a bare file system",
       changed({{{"truncate", "-s", "0", "own.sdimg"}, ""},
                {{"mke2fs", "-q", "-F", "-t", "ext4", "own.sdimg", "8M"}, ""}}),
       "'own.sdimg' has no data partition: it is one ext4 file system (rootfs A) without a "
       "partition "
       "table"},
  });
}

TEST(BadImage, PartitionsThatAreNotMendersAreRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  expect_refusals({
      {"no data partition",
       changed({{{"dd", "of=own.sdimg", "bs=1M", "seek=872", "count=1", "conv=notrunc"},
                 std::string(1 << 20, '\0')}}),
       "'own.sdimg' has no data partition: none holds /mender/device_type, is labelled 'data' or "
       "lies behind the root file systems; found partition 1: vfat 'BOOT' (boot); partition 2: "
       "ext4 "
       "(rootfs A); partition 3: ext4 (rootfs B); partition 4: no file system; say which with "
       "--data-part N, or 'layout' in the manifest"},
      {"a layout that cannot be",
       [](BatchFolder& folder) {
         folder.manifest["layout"] = {{"data", 1}, {"rootfs_a", 9}};
         folder.save();
       },
       "'base.sdimg' cannot have partition 9 as rootfs A ('rootfs_a' of the manifest's layout, "
       "--rootfs-a-part): there is none of that number; found partition 1: vfat 'BOOT'; partition "
       "2: "
       "ext4, holds /etc/mender; partition 3: ext4, empty; partition 4: ext4 'data', holds "
       "/mender/device_type"},
      {"two data partitions",
       debugfs(kRootfsB,
               {"mkdir /mender", "write type /mender/device_type", "ssv volume_name data"},
               {{"type", "device_type=x\n"}}),
       "'own.sdimg' has more than one data partition (/mender/device_type); found partition 1: "
       "vfat 'BOOT'; partition 2: ext4, holds /etc/mender; partition 3: ext4 'data', holds "
       "/mender/device_type; partition 4: ext4 'data', holds /mender/device_type; "
       "say which with --data-part N, or 'layout' in the manifest"},
  });
}

TEST(BadImage, FileSystemsInDoubtfulStateAreRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  expect_refusals({
      {"journal needs recovery", debugfs(kData, {"feature needs_recovery"}),
       "partition 4 ('data') of 'own.sdimg': the journal needs recovery: the image was taken from "
       "a file system in use; repair it with 'e2fsck -f' on the partition and try again"},
      {"errors", debugfs(kData, {"ssv state 2"}),
       "partition 4 ('data') of 'own.sdimg': the file system is marked with errors; repair it with "
       "'e2fsck -f' on the partition and try again"},
      {"not unmounted", debugfs(kRootfsA, {"ssv state 0"}),
       "partition 2 of 'own.sdimg': the file system was not cleanly unmounted; repair it with "
       "'e2fsck -f' on the partition and try again"},
      {"a feature that is only read", debugfs(kData, {"feature quota"}),
       "'own.sdimg': rootfs A (partition 2): '/data/mender/mender-cert-private.pem': partition 4 "
       "('data') of 'own.sdimg': the file system uses 'quota', which this version can read but not "
       "edit; make it without ('mke2fs -O ^FEATURE')"},
      {"feature from the future", debugfs(kRootfsA, {"feature FEATURE_I28"}),
       "'own.sdimg': rootfs A (partition 2): '/etc/mender/server.crt': partition 2 of 'own.sdimg': "
       "the file system uses 'FEATURE_I28', which this version does not support; make it without "
       "('mke2fs -O ^FEATURE')"},
      {"broken superblock", debugfs(kData, {"ssv blocks_count 99999999"}),
       "partition 4 ('data') of 'own.sdimg': The ext2 superblock is corrupt; repair the file "
       "system with 'e2fsck -f' and try again"},
  });
}

TEST(BadImage, AFullDataPartitionIsRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  expect_refusals({
      {"no blocks",
       [](BatchFolder& folder) {
         const ImageOracle image(folder.own_image());
         std::ofstream("big", std::ios::binary) << std::string(130U << 20, 'x');
         const auto filled =
             run_command({"debugfs", "-w", "-R", "write big /big", image.device(kData)});
         ASSERT_THAT(filled.err, testing::HasSubstr("Could not allocate block"));
         fs::remove("big");
       },
       "'own.sdimg': data (partition 4): writing '/data/mender/mender-cert-private.pem': partition "
       "4 ('data') of 'own.sdimg': no room for 'mender-cert-private.pem': 1 block of 1024 bytes "
       "needed, 0 free"},
      {"no inodes", use_up_inodes,
       "'own.sdimg': data (partition 4): writing '/data/mender/mender-cert-private.pem': partition "
       "4 ('data') of 'own.sdimg': no room for 'mender-cert-private.pem': no free inodes"},
  });
}

TEST(BadImage, ConfigurationsThatCannotBeMergedAreRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  const std::string conf = "/etc/mender/mender.conf";
  const auto conf_is = [conf](const std::string& content) {
    return debugfs(kRootfsA, {"rm " + conf, "write conf " + conf}, {{"conf", content}});
  };
  expect_refusals({
      {"missing", debugfs(kRootfsA, {"rm " + conf}),
       "'own.sdimg': rootfs A (partition 2): '/etc/mender/mender.conf': is missing: the image must "
       "have the file that is to be changed"},
      {"not JSON", conf_is("{\n  \"ServerURL\": https://x\n}\n"),
       "'own.sdimg': rootfs A (partition 2): '/etc/mender/mender.conf': line 2, column 16: 'https' "
       "is no value: texts need double quotes, numbers are decimal and finite"},
      {"empty", conf_is(" "),
       "'own.sdimg': rootfs A (partition 2): '/etc/mender/mender.conf': line 1, column 1: empty: "
       "write '{}' at least"},
      {"an array", conf_is("[1]"),
       "'own.sdimg': rootfs A (partition 2): '/etc/mender/mender.conf': line 1, column 1: a JSON "
       "object is needed here, in braces"},
      {"a directory", debugfs(kRootfsA, {"rm " + conf, "mkdir " + conf}),
       "'own.sdimg': rootfs A (partition 2): '/etc/mender/mender.conf': partition 2 of "
       "'own.sdimg': not a regular file"},
  });
}

TEST(BadImage, LinksThatLeadNowhereAreRefused) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  const auto file_to = [](const std::string& to, const std::vector<std::string>& requests) {
    return [=](BatchFolder& folder) {
      debugfs(kRootfsA, requests)(folder);
      folder.manifest["files"][0]["to"] = to;
      folder.save();
    };
  };
  expect_refusals({
      {"loop", file_to("/etc/loop/x", {"symlink /etc/loop loop"}),
       "'own.sdimg': rootfs A (partition 2): '/etc/loop/x': more than 40 symbolic links on the "
       "way: they go in circles"},
      {"loop of two", file_to("/etc/a/x", {"symlink /etc/a b", "symlink /etc/b /etc/a"}),
       "'own.sdimg': rootfs A (partition 2): '/etc/a/x': more than 40 symbolic links on the way: "
       "they go in circles"},
      {"the whole of /etc", file_to("/etc/x/y", {"symlink /etc/x ../etc/x"}),
       "'own.sdimg': rootfs A (partition 2): '/etc/x/y': more than 40 symbolic links on the way: "
       "they go in circles"},
      {"a device node", file_to("/etc/null", {"cd /etc", "mknod null c 1 3"}),
       "'own.sdimg': rootfs A (partition 2): writing '/etc/null': partition 2 of 'own.sdimg': "
       "'null' exists and is not a regular file"},
  });
}

TEST(ImageLinks, AreResolvedInsideTheImage) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  BatchFolder folder(Variant::empty_b, 1);
  const std::string escape = folder.path().string() + "/escape";
  fs::create_directory("escape");
  // Up through the root and beyond, and an absolute path that exists on this machine.
  debugfs(kRootfsA,
          {"symlink /etc/up ../../../../../../../../above", "symlink /etc/host " + escape})(folder);
  folder.manifest["files"] = {{{"text", "a"}, {"to", "/etc/up/file"}},
                              {{"text", "b"}, {"to", "/etc/host/file"}},
                              {{"text", "c"}, {"to", "/var/lib/mender/file"}}};
  folder.save();
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const ImageOracle image("out/unit-1.sdimg");
  EXPECT_EQ(image.cat(kRootfsA, "/above/file"), "a");
  EXPECT_EQ(image.cat(kRootfsA, escape + "/file"), "b");
  EXPECT_EQ(image.cat(kData, "/mender/file"), "c") << "/var/lib/mender -> /data/mender";
  EXPECT_TRUE(fs::is_empty("escape"));
  EXPECT_EQ(image.complaints(kRootfsA), "");
}

}  // namespace
}  // namespace imprint::cli::test
