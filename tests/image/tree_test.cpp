#include "imprint/image/tree.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "imprint/image/ext_file_system.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

using imprint::test::FailsWith;
using imprint::test::has_command;
using imprint::test::IsOk;
using test::attributes;
using test::edit_time;
using test::ExtImage;
using test::ExtShape;
using ::testing::HasSubstr;

const ExtShape& small() {
  static const ExtShape shape{
      .name = "small", .options = {"-t", "ext4", "-b", "1024"}, .size_bytes = 4 << 20};
  return shape;
}

/// A root and a data volume as on a Mender device, open for editing.
class Tree : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_command("mke2fs") || !has_command("debugfs")) GTEST_SKIP() << "needs e2fsprogs";
    root_image_ = std::make_unique<ExtImage>(small());
    data_image_ = std::make_unique<ExtImage>(small());
    root_image_->prepare({"mkdir etc",
                          "mkdir etc/mender",
                          "mkdir var",
                          "mkdir var/lib",
                          "mkdir data",
                          "mkdir database",
                          "mkdir boot",
                          "mkdir boot/efi",
                          "mkdir uboot",
                          "symlink var/lib/mender /data/mender",
                          "symlink etc/out ../../../../../var",
                          "symlink etc/alias mender",
                          "symlink etc/loop loop",
                          "symlink etc/ping pong",
                          "symlink etc/pong ping",
                          "symlink etc/dangling mender/later",
                          "symlink etc/dev-efi /boot/efi",
                          "write /dev/null etc/hostname",
                          "symlink etc/long " + std::string(200, '/') + "etc/mender",
                          "symlink d data"});
    data_image_->prepare({"mkdir mender", "mkdir data", "symlink mender/up ../..",
                          "symlink conf /etc/mender", "mkdir boot", "mkdir boot/efi"});
    root_canvas_ = std::make_unique<Canvas>(root_image_->image());
    data_canvas_ = std::make_unique<Canvas>(data_image_->image());
    root_ = open(*root_canvas_, *root_image_);
    data_ = open(*data_canvas_, *data_image_);
  }

  static std::unique_ptr<FileSystem> open(Canvas& canvas, const ExtImage& ext) {
    auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
    EXPECT_THAT(volume, IsOk());
    return std::make_unique<ExtFileSystem>(std::move(volume.value()));
  }

  /// Empty for null.
  static Mount mount(FileSystem* file_system) {
    if (file_system == nullptr) return {};
    return [file_system]() -> Result<FileSystem*> { return file_system; };
  }

  /// Writes down both volumes, for the tools.
  void commit() {
    ASSERT_THAT(root_->commit(), IsOk());
    ASSERT_THAT(data_->commit(), IsOk());
    root_image_->apply({root_canvas_.get()});
    data_image_->apply({data_canvas_.get()});
    EXPECT_EQ(root_image_->fsck_complaints(), "");
    EXPECT_EQ(data_image_->fsck_complaints(), "");
  }

  DeviceTree tree(FileSystem* boot = nullptr) {
    return DeviceTree(
        {.root = mount(root_.get()), .data = mount(data_.get()), .boot = mount(boot)});
  }

  std::unique_ptr<ExtImage> root_image_;
  std::unique_ptr<ExtImage> data_image_;
  std::unique_ptr<Canvas> root_canvas_;
  std::unique_ptr<Canvas> data_canvas_;
  std::unique_ptr<FileSystem> root_;
  std::unique_ptr<FileSystem> data_;
};

TEST_F(Tree, WritesWhereTheDeviceWillLook) {
  const std::vector<std::pair<std::string, std::string>> on_root{
      {"/etc/mender/mender.conf", "/etc/mender/mender.conf"},
      {"/etc/alias/alias.conf", "/etc/mender/alias.conf"},
      {"//etc/./mender//dots.conf", "/etc/mender/dots.conf"},
      {"/../../etc/mender/../up.conf", "/etc/up.conf"},
      {"/etc/out/out.conf", "/var/out.conf"},
      {"/etc/long/long.conf", "/etc/mender/long.conf"},
      {"/etc/dangling", "/etc/mender/later"},
      {"/database/x", "/database/x"},
      {"/data/conf/from-data", "/etc/mender/from-data"},
      {"/data/mender/up/etc/up-up", "/etc/up-up"},
  };
  const std::vector<std::pair<std::string, std::string>> on_data{
      {"/data/mender/key.pem", "/mender/key.pem"},
      {"/var/lib/mender/cert.pem", "/mender/cert.pem"},
      {"/d/mender/by-link.pem", "/mender/by-link.pem"},
      {"/data/../data/top", "/top"},
      {"/data/data/inner", "/data/inner"},
      {"/data/boot/efi/x", "/boot/efi/x"},
  };
  DeviceTree device = tree();
  for (const auto* paths : {&on_root, &on_data}) {
    for (const auto& path : *paths) {
      const auto where =
          device.write_file(path.first, bytes_of(path.first), attributes(0640, 3, 4));
      ASSERT_THAT(where, IsOk());
      EXPECT_EQ(where->file_system, paths == &on_root ? root_.get() : data_.get()) << path.first;
      const auto read = device.read_file(path.first);
      ASSERT_THAT(read, IsOk());
      EXPECT_EQ(text_of(*read), path.first);
      EXPECT_EQ(device.stat(path.first)->mode, 0640U);
    }
  }
  commit();
  for (const auto& path : on_root)
    EXPECT_EQ(root_image_->content(path.second), path.first);
  for (const auto& path : on_data)
    EXPECT_EQ(data_image_->content(path.second), path.first);
}

TEST_F(Tree, MissingDirectoriesAreMadeAndMendersOwnArePrivate) {
  DeviceTree device = tree();
  ASSERT_THAT(device.write_file("/opt/a/b/file", bytes_of("x"), attributes(0644)), IsOk());
  ASSERT_THAT(device.write_file("/data/wifi/psk", bytes_of("x"), attributes(0600)), IsOk());
  ASSERT_THAT(device.write_file("/data/mender/keys/k", bytes_of("x"), attributes(0600)), IsOk());
  ASSERT_THAT(device.write_file("/data/mender-configure/c", bytes_of("x"), attributes(0600)),
              IsOk());
  commit();
  EXPECT_THAT(root_image_->debugfs("stat /opt/a/b"), HasSubstr("Mode:  0755"));
  EXPECT_THAT(data_image_->debugfs("stat /wifi"), HasSubstr("Mode:  0755"));
  EXPECT_THAT(data_image_->debugfs("stat /mender/keys"), HasSubstr("Mode:  0700"));
  EXPECT_THAT(data_image_->debugfs("stat /mender-configure"), HasSubstr("Mode:  0755"));
  EXPECT_THAT(data_image_->debugfs("stat /mender"), HasSubstr("Mode:  0755"))
      << "a directory that was there stays as it is";
}

TEST_F(Tree, MenderItselfIsMadePrivateWhereItIsMissing) {
  ExtImage bare(small());
  Canvas canvas(bare.image());
  const std::unique_ptr<FileSystem> data = open(canvas, bare);
  DeviceTree device({.root = {}, .data = mount(data.get()), .boot = {}});
  ASSERT_THAT(device.write_file("/data/mender/key", bytes_of("x"), attributes(0600)), IsOk());
  ASSERT_THAT(data->commit(), IsOk());
  bare.apply({&canvas});
  EXPECT_EQ(bare.fsck_complaints(), "");
  EXPECT_THAT(bare.debugfs("stat /mender"), HasSubstr("Mode:  0700"));
}

TEST_F(Tree, ResolveMakesWhatIsMissingOnlyWhenAsked) {
  DeviceTree device = tree();
  EXPECT_THAT(device.resolve("/opt/x/file"),
              FailsWith(Code::not_found, "'/opt/x/file': the directory '/opt' does not exist"));
  const Attributes made = attributes(0711, 5, 6);
  const auto location = device.resolve("/opt/x/file", &made);
  ASSERT_THAT(location, IsOk());
  EXPECT_EQ(location->path, "/opt/x/file");
  EXPECT_FALSE(location->node.has_value());
  const auto directory = device.stat("/opt/x");
  ASSERT_THAT(directory, IsOk());
  EXPECT_EQ(directory->mode, 0711U);
  EXPECT_EQ(directory->uid, 5U);
  EXPECT_EQ(directory->gid, 6U);
}

TEST_F(Tree, ResolveSaysWhereAPathLeads) {
  DeviceTree device = tree();
  for (const char* path : {"/", "/..", "/data", "/data/", "/etc/..", "/var/lib/mender/.."}) {
    const auto location = device.resolve(path);
    ASSERT_THAT(location, IsOk()) << path;
    EXPECT_EQ(location->path, "/") << path;
    EXPECT_TRUE(location->is_root()) << path;
    ASSERT_TRUE(location->node.has_value()) << path;
    EXPECT_EQ(location->node->inode, kRootInode) << path;
  }
  EXPECT_EQ(device.resolve("/data")->file_system, data_.get());
  EXPECT_EQ(device.resolve("/etc/..")->file_system, root_.get());
  EXPECT_EQ(device.resolve("/var/lib/mender/..")->file_system, data_.get());

  const auto file = device.resolve("/etc/alias/../hostname");
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->path, "/etc/hostname");
  EXPECT_TRUE(file->node.has_value());

  // A link as the last name: where it leads, or itself.
  EXPECT_EQ(device.resolve("/etc/alias")->path, "/etc/mender");
  const auto link = device.resolve("/etc/alias", nullptr, DeviceTree::LastLink::keep);
  ASSERT_THAT(link, IsOk());
  EXPECT_EQ(link->path, "/etc/alias");
  EXPECT_EQ(link->node->type, NodeType::symlink);
  EXPECT_EQ(device.resolve("/etc/alias/", nullptr, DeviceTree::LastLink::keep)->path, "/etc/alias");
}

TEST_F(Tree, ExistsTellsAbsenceFromTrouble) {
  DeviceTree device = tree();
  EXPECT_TRUE(*device.exists("/etc/hostname"));
  EXPECT_TRUE(*device.exists("/var/lib/mender"));
  EXPECT_FALSE(*device.exists("/etc/nothing"));
  EXPECT_FALSE(*device.exists("/nothing/at/all"));
  EXPECT_FALSE(*device.exists("/etc/dangling"));
  EXPECT_THAT(device.exists("/etc/loop"), FailsWith(Code::invalid_input));
}

TEST_F(Tree, PathsThatLeadNowhereAreRefused) {
  DeviceTree device = tree();
  const Attributes mode = attributes(0644);
  EXPECT_THAT(device.write_file("/etc/loop", ByteView(), mode),
              FailsWith(Code::invalid_input, "'/etc/loop': more than 40 symbolic links"));
  EXPECT_THAT(device.write_file("/etc/ping/x", ByteView(), mode),
              FailsWith(Code::invalid_input, "they go in circles"));
  EXPECT_THAT(device.write_file("/etc/hostname/x", ByteView(), mode),
              FailsWith(Code::invalid_input, "'/etc/hostname' is not a directory"));
  EXPECT_THAT(device.write_file("/etc/mender", ByteView(), mode),
              FailsWith(Code::exists, "'mender' exists and is not a regular file"));
  EXPECT_THAT(device.write_file("/data", ByteView(), mode),
              FailsWith(Code::exists, "'/data' is a directory"));
  EXPECT_THAT(device.write_file("etc/x", ByteView(), mode),
              FailsWith(Code::invalid_input, "not an absolute path"));
  EXPECT_THAT(device.write_file("", ByteView(), mode),
              FailsWith(Code::invalid_input, "not an absolute path"));
  EXPECT_THAT(device.write_file(std::string_view("/etc/a\0b", 8), ByteView(), mode),
              FailsWith(Code::invalid_input, "NUL"));
  EXPECT_THAT(device.write_file("/etc/" + std::string(256, 'n'), ByteView(), mode),
              FailsWith(Code::invalid_input, "has 256 bytes; a file name has at most 255"));
  EXPECT_THAT(device.read_file("/etc/nothing"),
              FailsWith(Code::not_found, "'/etc/nothing' does not exist"));
  EXPECT_THAT(device.read_file("/etc"), FailsWith(Code::invalid_input, "not a regular file"));
  EXPECT_THAT(device.stat("/nothing/x"),
              FailsWith(Code::not_found, "the directory '/nothing' does not exist"));
  commit();
}

TEST_F(Tree, BootMountPointsLeadToTheBootPartitionAndNothingElseDoes) {
  ExtImage boot_image(small());
  Canvas canvas(boot_image.image());
  const std::unique_ptr<FileSystem> boot = open(canvas, boot_image);
  DeviceTree device = tree(boot.get());
  int number = 0;
  for (const std::string path :
       {"/boot/efi/", "/uboot/", "/boot/grub/", "/boot/firmware/", "/etc/dev-efi/",
        "/boot/../boot/efi/", "//boot/./efi/", "/uboot/../uboot/"}) {
    const std::string name = fmt::format("file{}", ++number);
    const auto written = device.write_file(path + name, bytes_of(path), attributes(0644));
    ASSERT_THAT(written, IsOk()) << path;
    EXPECT_EQ(written->file_system, boot.get()) << path;
    EXPECT_EQ(written->path, "/" + name) << path;
  }
  EXPECT_TRUE(device.resolve("/boot/firmware")->is_root());
  EXPECT_EQ(device.resolve("/boot/efi/..")->path, "/boot");
  for (const char* path : {"/boot/kernel.cfg", "/boot/effigy", "/uboot-env"}) {
    const auto written = device.write_file(path, ByteView(), attributes(0644));
    ASSERT_THAT(written, IsOk()) << path;
    EXPECT_EQ(written->file_system, root_.get()) << path;
  }
  EXPECT_EQ(device.write_file("/data/uboot/x", ByteView(), attributes(0644))->file_system,
            data_.get());
}

TEST_F(Tree, WithoutABootPartitionItsMountPointsAreDirectoriesOfTheRoot) {
  DeviceTree device = tree();
  for (const char* path : {"/boot/efi/x", "/uboot/config.txt", "/etc/dev-efi/y"}) {
    const auto written = device.write_file(path, ByteView(), attributes(0644));
    ASSERT_THAT(written, IsOk()) << path;
    EXPECT_EQ(written->file_system, root_.get()) << path;
  }
}

TEST_F(Tree, TheBootPartitionNeedsNoRoot) {
  DeviceTree device({.root = {}, .data = {}, .boot = mount(data_.get())});
  EXPECT_THAT(device.write_file("/boot/efi/x", ByteView(), attributes(0644)), IsOk());
  EXPECT_THAT(device.write_file("/uboot/y", ByteView(), attributes(0644)), IsOk());
  EXPECT_THAT(device.resolve("/boot"), FailsWith(Code::not_found, "no root file system"));
}

TEST_F(Tree, WithoutARootVolumeOnlyDataCanBeReached) {
  DeviceTree device({.root = {}, .data = mount(data_.get()), .boot = {}});
  EXPECT_THAT(device.write_file("/data/mender/k", bytes_of("k"), attributes(0600)), IsOk());
  for (const char* path : {"/etc/mender/mender.conf", "/", "/data/conf/x", "/data/.."}) {
    EXPECT_THAT(device.resolve(path), FailsWith(Code::not_found, "only paths under /data")) << path;
  }
  EXPECT_FALSE(*device.exists("/etc/mender/mender.conf"));
}

TEST_F(Tree, WithoutADataVolumeDataCannotBeReached) {
  DeviceTree device({.root = mount(root_.get()), .data = {}, .boot = {}});
  EXPECT_THAT(device.write_file("/etc/x", bytes_of("k"), attributes(0600)), IsOk());
  for (const char* path : {"/data/mender/k", "/var/lib/mender/k"}) {
    EXPECT_THAT(device.write_file(path, ByteView(), attributes(0600)),
                FailsWith(Code::not_found, "the image has no data partition"));
  }
  EXPECT_THAT(device.write_file("/database/k", ByteView(), attributes(0600)), IsOk());
}

}  // namespace
}  // namespace imprint::image
