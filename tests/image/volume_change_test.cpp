// Removing, linking, attributes, holes: what one edit does to what was there.

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ext_image.hpp"
#include "imprint/image/volume.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"

namespace imprint::image {
namespace {

namespace stdfs = std::filesystem;
using imprint::test::FailsWith;
using imprint::test::has_command;
using imprint::test::IsOk;
using imprint::test::run_command;
using imprint::test::TempDir;
using test::attributes;
using test::edit_time;
using test::ExtImage;
using test::ExtShape;
using ::testing::HasSubstr;
using ::testing::Not;

class VolumeChange : public ::testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_COMMAND("mke2fs");
    IMPRINT_NEED_COMMAND("debugfs");
  }

  static Volume open(Canvas& canvas, const ExtImage& ext) {
    auto volume = Volume::open_edit(canvas, ext.partition(), edit_time());
    EXPECT_THAT(volume, IsOk());
    return std::move(volume.value());
  }

  static InodeNumber inode_of(const Volume& volume, std::string_view name,
                              InodeNumber directory = kRootInode) {
    const auto found = volume.lookup(directory, name);
    EXPECT_THAT(found, IsOk());
    EXPECT_TRUE(found && *found) << name;
    return found && *found ? **found : 0;
  }

  static std::string attribute(const Volume& volume, InodeNumber inode, std::string_view name) {
    const auto all = volume.extended_attributes(inode);
    EXPECT_THAT(all, IsOk());
    if (!all) return "";
    for (const ExtendedAttribute& one : *all) {
      if (one.name == name) return std::string(text_of(one.value));
    }
    return "(none)";
  }
};

ExtShape small(std::vector<std::string> options = {"-t", "ext4", "-b", "1024"}) {
  return {.name = "small", .options = std::move(options), .size_bytes = 8 << 20};
}

TEST_F(VolumeChange, WhatIsRemovedIsGoneFromTheImage) {
  for (const char* type : {"ext2", "ext4"}) {
    ExtImage ext(small({"-t", type, "-b", "1024"}));
    const std::string secret =
        ext.dir().write("secret", std::string(70'000, 's') + "key!").string();
    ext.prepare({"write " + secret + " secret", "mkdir d", "mkdir d/e", "mknod pipe p",
                 "ea_set secret user.long " + std::string(500, 'q')});
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    const std::uint64_t free_blocks = volume.free_blocks();
    const std::uint64_t free_inodes = volume.free_inodes();
    const InodeNumber d = inode_of(volume, "d");
    EXPECT_THAT(volume.remove(kRootInode, "secret"), IsOk());
    EXPECT_THAT(volume.remove(kRootInode, "pipe"), IsOk());
    EXPECT_THAT(volume.remove(kRootInode, "d"),
                FailsWith(Code::exists, "the directory 'd' is not empty"));
    EXPECT_EQ(volume.stat(d)->links, 3U);
    EXPECT_THAT(volume.remove(d, "e"), IsOk());
    EXPECT_EQ(volume.stat(d)->links, 2U);
    EXPECT_THAT(volume.remove(kRootInode, "d"), IsOk());
    EXPECT_THAT(volume.remove(kRootInode, "d"), FailsWith(Code::not_found, "'d' does not exist"));
    EXPECT_THAT(volume.remove(kRootInode, ".."), FailsWith(Code::invalid_input, "no file name"));
    ASSERT_THAT(volume.commit(), IsOk());
    const auto after = Volume::open_read(canvas, ext.partition());
    ASSERT_THAT(after, IsOk());
    EXPECT_GT(after->free_blocks(), free_blocks + 70);
    EXPECT_EQ(after->free_inodes(), free_inodes + 4);
    ext.apply({&canvas});
    EXPECT_EQ(ext.fsck_complaints(), "") << type;
    EXPECT_FALSE(ext.result_holds("key!"));
    EXPECT_FALSE(ext.result_holds(std::string(100, 's')));
    EXPECT_FALSE(ext.result_holds(std::string(100, 'q'))) << "the attribute's block";
    EXPECT_FALSE(ext.result_holds("secret")) << "nor its name";
  }
}

TEST_F(VolumeChange, WhatWasReleasedIsNotUsedAgainBeforeTheCommit) {
  ExtImage ext(small());
  ext.prepare({"write " + ext.dir().write("f", std::string(1000, 'f')).string() + " f",
               "ea_set f user.long " + std::string(500, 'q')});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const auto map = volume.original_free_map();
  ASSERT_THAT(volume.set_extended_attribute(inode_of(volume, "f"), "user.long", std::nullopt),
              IsOk());
  ASSERT_THAT(volume.remove(kRootInode, "f"), IsOk());
  const std::string rest(static_cast<std::size_t>((volume.free_blocks() - 30) * 1024), 'r');
  const auto made = volume.write_file(kRootInode, "rest", bytes_of(rest), attributes(0644));
  ASSERT_THAT(made, IsOk());
  const auto placement = volume.placement(*made);
  ASSERT_THAT(placement, IsOk());
  for (const Extent& extent : placement->extents)
    EXPECT_TRUE(was_free(*map, extent.image_offset, extent.length_bytes));
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
}

TEST_F(VolumeChange, AHardLinkLosesOneNameOnly) {
  const TempDir source;
  std::ofstream(source / "one") << "shared content";
  stdfs::create_hard_link(source / "one", source / "two");
  ExtImage ext(small({"-t", "ext4", "-d", source.path().string()}));
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  ASSERT_THAT(volume.remove(kRootInode, "one"), IsOk());
  const auto two = volume.stat(inode_of(volume, "two"));
  ASSERT_THAT(two, IsOk());
  EXPECT_EQ(two->links, 1U);
  EXPECT_EQ(two->changed, edit_time());
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_EQ(ext.content("/two"), "shared content");
}

TEST_F(VolumeChange, TheFileSystemsOwnInodesAreNotTouched) {
  ExtImage ext(small({"-t", "ext4", "-O", "^metadata_csum"}));
  ext.prepare({"link <8> journal"});  // as no sound file system has it
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  EXPECT_THAT(
      volume.remove(kRootInode, "journal"),
      FailsWith(Code::corrupt, "'journal' leads to inode 8, which is the file system's own"));
  EXPECT_THAT(volume.write_file(kRootInode, "journal", bytes_of("x"), {}),
              FailsWith(Code::corrupt, "which is the file system's own"));
}

TEST_F(VolumeChange, LinksOfEveryLengthAreMade) {
  ExtImage ext(small());
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  for (const std::size_t size : {1U, 59U, 60U, 61U, 1023U}) {
    const std::string target(size, 't');
    const auto made = volume.make_symlink(kRootInode, fmt::format("l{}", size), target,
                                          {.mode = 0777, .uid = 7, .gid = 8});
    ASSERT_THAT(made, IsOk());
    const auto read = volume.read_link(*made);
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(*read, target);
    EXPECT_EQ(volume.stat(*made)->type, NodeType::symlink);
    EXPECT_EQ(volume.stat(*made)->uid, 7U);
  }
  EXPECT_THAT(volume.make_symlink(kRootInode, "long", std::string(1024, 't'), {}),
              FailsWith(Code::invalid_input, "has 1024 bytes; at most 1023 fit"));
  EXPECT_THAT(volume.make_symlink(kRootInode, "none", "", {}),
              FailsWith(Code::invalid_input, "is no target of a symbolic link"));
  EXPECT_THAT(volume.make_symlink(kRootInode, "nul", std::string_view("a\0b", 3), {}),
              FailsWith(Code::invalid_input, "is no target of a symbolic link"));
  EXPECT_THAT(volume.make_symlink(kRootInode, "l59", "x", {}),
              FailsWith(Code::exists, "'l59' exists already"));
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_THAT(ext.debugfs("stat l59"), HasSubstr("Fast link dest: \"" + std::string(59, 't')));
  EXPECT_THAT(ext.debugfs("stat l1023"), HasSubstr("Type: symlink"));
}

TEST_F(VolumeChange, AttributesAreChangedAndTheKindIsKept) {
  ExtImage ext(small());
  ext.prepare({"mkdir d", "mknod pipe p"});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const InodeNumber d = inode_of(volume, "d");
  const TimePoint late(std::chrono::seconds(5'000'000'000));  // 2128
  ASSERT_THAT(volume.change_attributes(d, {.mode = 01777, .modified = late}), IsOk());
  const auto node = volume.stat(d);
  ASSERT_THAT(node, IsOk());
  EXPECT_EQ(node->type, NodeType::directory);
  EXPECT_EQ(node->mode, 01777U);
  EXPECT_EQ(node->modified, late);
  EXPECT_EQ(node->changed, edit_time());
  EXPECT_EQ(node->accessed, TimePoint(std::chrono::seconds(1'700'000'000)));
  const InodeNumber pipe = inode_of(volume, "pipe");
  ASSERT_THAT(volume.change_attributes(pipe, {.uid = 70'000}), IsOk());
  EXPECT_EQ(volume.stat(pipe)->uid, 70'000U);
  EXPECT_EQ(volume.stat(pipe)->gid, 0U);
  const TimePoint early(std::chrono::seconds(-1000));  // 1969
  const auto made = volume.write_file(kRootInode, "f", bytes_of("f"), {.modified = early});
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(volume.stat(*made)->modified, early);
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_THAT(ext.debugfs("stat d"), HasSubstr("Type: directory    Mode:  01777"));
  EXPECT_THAT(ext.debugfs("stat d"), HasSubstr("2128"));
  EXPECT_THAT(ext.debugfs("stat pipe"), HasSubstr("Type: FIFO"));
}

TEST_F(VolumeChange, ExtendedAttributesAreSetReplacedAndRemoved) {
  for (const char* inode_size : {"128", "256"}) {
    ExtImage ext(small({"-t", "ext4", "-b", "1024", "-O", "^extra_isize", "-I", inode_size}));
    ext.prepare({"write /dev/null f"});
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    const InodeNumber f = inode_of(volume, "f");
    const auto set = [&](const char* name, std::optional<std::string_view> value) {
      std::optional<ByteView> bytes;
      if (value) bytes = bytes_of(*value);
      return volume.set_extended_attribute(f, name, bytes);
    };
    ASSERT_THAT(set("security.selinux", "label"), IsOk());
    ASSERT_THAT(set("user.empty", ""), IsOk());
    ASSERT_THAT(set("trusted.overlay.opaque", "y"), IsOk());
    ASSERT_THAT(set("user.large", std::string(600, 'l')), IsOk());
    ASSERT_THAT(set("security.selinux", "another label"), IsOk());
    EXPECT_EQ(attribute(volume, f, "security.selinux"), "another label");
    EXPECT_EQ(attribute(volume, f, "user.empty"), "");
    EXPECT_EQ(attribute(volume, f, "user.large"), std::string(600, 'l'));
    EXPECT_THAT(set("user.huge", std::string(2000, 'h')),
                FailsWith(Code::image_full,
                          "no room for the extended attribute 'user.huge' of 2000 bytes"));
    EXPECT_THAT(set("user.x", "y"), FailsWith(Code::internal, "failed half-way"));
  }
}

TEST_F(VolumeChange, TheLastAttributeGivesItsBlockBack) {
  ExtImage ext(small());
  ext.prepare({"write /dev/null f"});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const std::uint64_t free_blocks = volume.free_blocks();
  const InodeNumber f = inode_of(volume, "f");
  const std::string large(600, 'l');
  ASSERT_THAT(volume.set_extended_attribute(f, "user.large", bytes_of(large)), IsOk());
  EXPECT_EQ(volume.free_blocks(), free_blocks - 1);
  ASSERT_THAT(volume.set_extended_attribute(f, "user.large", std::nullopt), IsOk());
  ASSERT_THAT(volume.set_extended_attribute(f, "user.never", std::nullopt), IsOk());
  for (const char* name : {"", "user.", "unknown.name", "system.data", "user"}) {
    EXPECT_THAT(volume.set_extended_attribute(f, name, bytes_of("x")),
                FailsWith(Code::invalid_input, "is no name of an extended attribute"));
  }
  ASSERT_THAT(volume.commit(), IsOk());
  const auto after = Volume::open_read(canvas, ext.partition());
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->free_blocks(), free_blocks);
  EXPECT_EQ(attribute(*after, f, "user.large"), "(none)");
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_FALSE(ext.result_holds(large));
}

TEST_F(VolumeChange, AFileSystemWithoutAttributesGetsThemWithTheFirst) {
  ExtImage ext(small({"-t", "ext2", "-O", "^ext_attr", "-I", "128"}));
  ext.prepare({"write /dev/null f"});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const InodeNumber f = inode_of(volume, "f");
  EXPECT_EQ(attribute(volume, f, "user.x"), "(none)");
  ASSERT_THAT(volume.set_extended_attribute(f, "user.x", std::nullopt), IsOk());
  ASSERT_THAT(volume.set_extended_attribute(f, "user.x", bytes_of("y")), IsOk());
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_THAT(ext.debugfs("ea_get f user.x"), HasSubstr("y"));
}

/// Two files, `a` and `b`, made to share the block of attributes that `a` has.
void share_attributes(ExtImage& ext) {
  const std::string stat = run_command({"debugfs", "-R", "stat a", ext.path().string()}).out;
  const std::size_t at = stat.find("File ACL: ");
  ASSERT_NE(at, std::string::npos) << stat;
  const std::string block =
      stat.substr(at + 10, stat.find_first_not_of("0123456789", at + 10) - at - 10);
  ext.prepare({"set_inode_field b file_acl " + block, "set_inode_field b blocks 2"});
  std::fstream image(ext.path(), std::ios::in | std::ios::out | std::ios::binary);
  image.seekp(static_cast<std::streamoff>(std::stoull(block) * 1024 + 4));  // h_refcount
  image.put('\2');
}

TEST_F(VolumeChange, SharedAttributesStayWithTheOthers) {
  for (const bool removes : {false, true}) {
    ExtImage ext(small({"-t", "ext2", "-b", "1024", "-I", "128"}));
    ext.prepare({"write /dev/null a", "write /dev/null b", "ea_set a user.shared value"});
    share_attributes(ext);
    Canvas canvas(ext.image());
    Volume volume = open(canvas, ext);
    const InodeNumber a = inode_of(volume, "a");
    const InodeNumber b = inode_of(volume, "b");
    EXPECT_EQ(attribute(volume, b, "user.shared"), "value");
    if (removes) {
      ASSERT_THAT(volume.remove(kRootInode, "a"), IsOk());
    } else {
      ASSERT_THAT(volume.set_extended_attribute(a, "user.shared", bytes_of("its own")), IsOk());
    }
    EXPECT_EQ(attribute(volume, b, "user.shared"), "value");
    ASSERT_THAT(volume.commit(), IsOk());
    ext.apply({&canvas});
    EXPECT_EQ(ext.fsck_complaints(), "");
    EXPECT_THAT(ext.debugfs("ea_get b user.shared"), HasSubstr("value"));
  }
}

TEST_F(VolumeChange, LargeAttributesLiveInInodesOfTheirOwn) {
  ExtImage ext(small({"-t", "ext4", "-b", "1024", "-O", "ea_inode,^metadata_csum"}));
  ext.prepare({"write /dev/null a", "write /dev/null b"});
  Canvas first(ext.image());
  const std::string large(5000, 'L');
  {
    Volume volume = open(first, ext);
    const std::uint64_t free_inodes = volume.free_inodes();
    const InodeNumber a = inode_of(volume, "a");
    ASSERT_THAT(volume.set_extended_attribute(a, "user.large", bytes_of(large)), IsOk());
    EXPECT_EQ(volume.free_inodes(), free_inodes - 1);
    EXPECT_EQ(attribute(volume, a, "user.large"), large);
    ASSERT_THAT(volume.write_file(kRootInode, "a", bytes_of("new"), attributes(0644)), IsOk());
    EXPECT_EQ(attribute(volume, inode_of(volume, "a"), "user.large"), large);
    EXPECT_EQ(volume.free_inodes(), free_inodes - 1) << "one value for one file";
    ASSERT_THAT(volume.commit(), IsOk());
  }
  ext.apply({&first});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_TRUE(ext.result_holds(large));

  const ImageReader& edited = first;
  Canvas second(edited);
  Volume volume = open(second, ext);
  const std::uint64_t free_inodes = volume.free_inodes();
  ASSERT_THAT(volume.remove(kRootInode, "a"), IsOk());
  EXPECT_EQ(volume.free_inodes(), free_inodes + 2);
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&first, &second});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_FALSE(ext.result_holds(std::string(500, 'L')));
}

TEST_F(VolumeChange, ANameOfAnAttributesInodeIsNotTakenForAFile) {
  ExtImage ext(small({"-t", "ext4", "-b", "1024", "-O", "ea_inode,^metadata_csum"}));
  // EXT4_EA_INODE_FL and EXT4_EXTENTS_FL: e2fsck 1.47.0 says nothing to such a name.
  ext.prepare({"write /dev/null f", "sif f flags 0x280000"});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  EXPECT_THAT(
      volume.remove(kRootInode, "f"),
      FailsWith(Code::corrupt, "in a directory but holds the value of an extended attribute"));
}

/// An access control list as it lies on the disk: owner rwx, user 1000 rw, group r, mask, others r.
const std::string kAcl("\1\0\0\0\1\0\7\0\2\0\6\0\xe8\3\0\0\4\0\4\0\x10\0\6\0\x20\0\4\0", 28);

TEST_F(VolumeChange, AnAccessControlListFollowsTheMode) {
  ExtImage ext(small());
  ext.prepare({"write /dev/null f"});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const InodeNumber f = inode_of(volume, "f");
  const char* name = "system.posix_acl_access";
  ASSERT_THAT(volume.set_extended_attribute(f, name, bytes_of(kAcl)), IsOk());
  EXPECT_EQ(attribute(volume, f, name), kAcl) << "as it stands on the disk";
  ASSERT_THAT(volume.change_attributes(f, {.mode = 0640}), IsOk());
  std::string expected = kAcl;
  expected[6] = 6;   // owner
  expected[22] = 4;  // mask
  expected[26] = 0;  // others
  EXPECT_EQ(attribute(volume, f, name), expected);
  const auto made = volume.write_file(kRootInode, "f", bytes_of("key"), attributes(0600));
  ASSERT_THAT(made, IsOk());
  expected[22] = 0;
  EXPECT_EQ(attribute(volume, *made, name), expected) << "user 1000 may not read the new file";
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
}

TEST_F(VolumeChange, FlagsOfAReplacedFileStay) {
  ExtImage ext(small());
  ext.prepare(
      {"write /dev/null f", "set_inode_field f flags 0x800d0"});  // immutable, nodump, noatime
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  ASSERT_THAT(volume.write_file(kRootInode, "f", bytes_of("new"), attributes(0644)), IsOk());
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  EXPECT_THAT(ext.debugfs("stat f"), HasSubstr("Flags: 0x800d0"));
}

TEST_F(VolumeChange, AProjectIsHandedOn) {
  ExtImage ext(small({"-t", "ext4", "-I", "256"}));
  ext.prepare({"feature project", "mkdir p", "set_inode_field p projid 77",
               "set_inode_field p flags 0x20080000", "write /dev/null f",
               "set_inode_field f projid 88"});
  Canvas canvas(ext.image());
  Volume volume = open(canvas, ext);
  const InodeNumber p = inode_of(volume, "p");
  ASSERT_THAT(volume.write_file(p, "f", bytes_of("x"), attributes(0644)), IsOk());
  const auto sub = volume.make_directory(p, "d", attributes(0755));
  ASSERT_THAT(sub, IsOk());
  ASSERT_THAT(volume.make_symlink(*sub, "l", "x", {}), IsOk());
  ASSERT_THAT(volume.write_file(kRootInode, "f", bytes_of("x"), attributes(0644)), IsOk());
  ASSERT_THAT(volume.write_file(kRootInode, "none", bytes_of("x"), attributes(0644)), IsOk());
  ASSERT_THAT(volume.commit(), IsOk());
  ext.apply({&canvas});
  EXPECT_EQ(ext.fsck_complaints(), "");
  for (const char* path : {"p/f", "p/d", "p/d/l"})
    EXPECT_THAT(ext.debugfs(fmt::format("stat {}", path)), HasSubstr("Project:    77")) << path;
  EXPECT_THAT(ext.debugfs("stat f"), HasSubstr("Project:    88"));
  EXPECT_THAT(ext.debugfs("stat none"), HasSubstr("Project:     0"));
}

}  // namespace
}  // namespace imprint::image
