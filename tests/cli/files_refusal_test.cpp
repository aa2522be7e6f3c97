// What the file commands refuse: one line that says what to do, and an image that is as it was.

#include <sys/stat.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "files_fixture.hpp"

namespace imprint::cli::test {
namespace {

using testing::IsEmpty;

struct Mistake {
  std::vector<std::string> arguments;
  std::string message;
  int status = 2;
};

class FilesRefused : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_files_tools()) GTEST_SKIP() << "needs sfdisk, mke2fs, dosfstools and debugfs";
    folder_.emplace();
    folder_->write("f", "f\n");
    fs::create_directory("d");
  }

  static void expect(const std::vector<Mistake>& mistakes) {
    const std::string before = imprint::test::sha256_of_file("x.sdimg");
    const auto files = listing(".");
    for (const Mistake& mistake : mistakes) {
      SCOPED_TRACE(fmt::format("{}", fmt::join(mistake.arguments, " ")));
      const CommandResult result = imprint(mistake.arguments);
      EXPECT_EQ(result.status, mistake.status);
      EXPECT_EQ(result.err, "imprint: error: " + mistake.message + "\n");
      EXPECT_EQ(result.out, "");
    }
    EXPECT_EQ(imprint::test::sha256_of_file("x.sdimg"), before);
    EXPECT_EQ(listing("."), files) << "something was written";
  }

  std::optional<FilesFolder> folder_;
};

TEST_F(FilesRefused, Places) {
  expect({
      {{"ls", "none.sdimg"}, "opening 'none.sdimg': No such file or directory"},
      {{"cat", "none.sdimg:/etc/x"}, "opening 'none.sdimg': No such file or directory"},
      {{"cat", "x.sdimg:etc/hostname"},
       "'x.sdimg:etc/hostname': a path inside an image begins with '/': 'x.sdimg:/etc/hostname'"},
      {{"cat", "x.sdimg"}, "'x.sdimg' names no path: give IMAGE:PATH"},
      {{"rm", "x.sdimg"}, "'x.sdimg' names no path: give IMAGE:PATH"},
      {{"cat", "x.sdimg:/etc/none"}, "'x.sdimg': '/etc/none' does not exist"},
      {{"cat", "x.sdimg:/none/x"}, "'x.sdimg': '/none/x': the directory '/none' does not exist"},
      {{"cat", "x.sdimg:/etc"}, "'x.sdimg:/etc' is a directory"},
      {{"cat", "x.sdimg:/etc/loop"},
       "'x.sdimg': '/etc/loop': more than 40 symbolic links on the way: they go in circles"},
      {{"cat", "x.sdimg:/etc/hostname/x"},
       "'x.sdimg': '/etc/hostname/x': '/etc/hostname' is not a directory"},
      {{"ls", "--part", "7", "x.sdimg"},
       "'x.sdimg': the image has no partition 7; it has 1 (vfat), 2 (ext4), 3 (ext4), 4 (ext4)"},
      {{"ls", "--rootfs", "c", "x.sdimg"}, "--rootfs: 'c' is none of a, b, both"},
      {{"rm", "x.sdimg:/etc/hostname", "f:/x"},
       "'x.sdimg' and 'f' are two images; a command changes one, so that it does all or nothing"},
      {{"ls", "f"},
       "'f' has neither a partition table (MBR or GPT) nor a file system; is it a disk image?"},
      {{"ls", ""},
       "PLACES: the value is empty; give one, or leave the option out (see 'imprint ls --help')"},
  });
}

TEST_F(FilesRefused, Attributes) {
  const std::vector<std::string> rest{"f", "x.sdimg:/data/f"};
  const auto install = [&rest](std::vector<std::string> options) {
    options.insert(options.begin(), "install");
    options.insert(options.end(), rest.begin(), rest.end());
    return options;
  };
  expect({
      {install({}), "say which mode the files are to have, in octal: -m 0600"},
      {install({"-m", "u=rw"}), "--mode: 'u=rw' is no mode: give it in octal, such as 0600"},
      {install({"-m", "0680"}), "--mode: '0680' is no mode: give it in octal, such as 0600"},
      {install({"-m", "10000"}), "--mode: '10000' is no mode: give it in octal, such as 0600"},
      {install({"-m", "0600", "--owner", "root"}),
       "--owner: 'root' is no owner: give numbers, UID:GID, such as 0:0"},
      {install({"-m", "0600", "--owner", ":"}),
       "--owner: ':' is no owner: give numbers, UID:GID, such as 0:0"},
      {install({"-m", "0600", "--owner", "4294967295"}),
       "--owner: '4294967295' is no owner: give numbers, UID:GID, such as 0:0"},
      {install({"-m", "0600", "--xattr", "note=x"}),
       "--xattr: 'note=x' is no extended attribute: give NAME=VALUE with a name in user., "
       "security., trusted. or system."},
      {install({"-m", "0600", "--xattr", "user.x=0x123"}),
       "--xattr: '0x123' is no value in hex: 0x and an even number of digits"},
      {install({"-m", "0600", "--selinux", "etc_t"}),
       "--selinux: 'etc_t' is no SELinux label: it is USER:ROLE:TYPE and perhaps :LEVEL"},
      {install({"-m", "0600", "--mtime", "tomorrow"}),
       "--mtime: 'tomorrow' is no date: write 2030-01-31 or 2030-01-31T12:00:00Z"},
  });
}

TEST_F(FilesRefused, Copies) {
  expect({
      {{"cp", "f", "g"}, "'f' and 'g' are both on this machine: one of them has to be IMAGE:PATH"},
      {{"cp", "none", "x.sdimg:/data/"}, "'none': No such file or directory"},
      {{"cp", "d", "x.sdimg:/data/"},
       "'x.sdimg': 'd' is a directory; -r copies it with everything in it"},
      {{"cp", "f", "x.sdimg:/none/f"},
       "'x.sdimg': '/none/f': the directory '/none' does not exist"},
      {{"cp", "f", "f", "x.sdimg:/data/none"},
       "'/data/none' is no directory of 'x.sdimg'; several files are copied into a directory"},
      {{"cp", "x.sdimg:/data/sub", "out"},
       "'x.sdimg:/data/sub' is a directory; -r copies it with everything in it"},
      {{"cp", "-r", "x.sdimg:/data/sub", "f"},
       "'f' exists already; directories are copied to where nothing is yet"},
      {{"cp", "x.sdimg:/data/none", "out"}, "'x.sdimg': '/data/none' does not exist"},
      {{"cp", "x.sdimg:/etc/hostname", "x.sdimg:/etc/mender", "none"},
       "'none' is no directory; several files are copied into a directory"},
      {{"cp", "x.sdimg:/data/sub", "-"}, "'x.sdimg:/data/sub' is no file"},
      {{"install", "-m", "0644", "f"}, "give what to install and where: FILE... IMAGE:PATH"},
      {{"install", "-m", "0644", "f", "g"}, "'g' names no path: give IMAGE:PATH"},
      {{"cp", "f", "x.sdimg:/data/sub/dir/file/x"},
       "'x.sdimg': rootfs A (partition 2): '/data/sub/dir/file/x': '/data/sub/dir/file' is not a "
       "directory"},
  });
}

TEST_F(FilesRefused, RemovalsAndDirectories) {
  expect({
      {{"rm", "x.sdimg:/etc"},
       "'x.sdimg': rootfs A (partition 2): '/etc' is a directory; -r removes it with everything in "
       "it"},
      {{"rm", "-r", "x.sdimg:/data"},
       "'x.sdimg': '/data' is the root of a file system; name what is in it"},
      {{"rm", "-rf", "x.sdimg:/"},
       "'x.sdimg': '/' is the root of a file system; name what is in it"},
      {{"rm", "x.sdimg:/etc/none"}, "'x.sdimg': '/etc/none' does not exist"},
      {{"mkdir", "x.sdimg:/etc"}, "'x.sdimg': rootfs A (partition 2): '/etc' exists already"},
      {{"mkdir", "-p", "x.sdimg:/etc/hostname"},
       "'x.sdimg': rootfs A (partition 2): '/etc/hostname' exists already"},
      {{"mkdir", "x.sdimg:/none/d"}, "'x.sdimg': '/none/d': the directory '/none' does not exist"},
      {{"mkdir", "-p", "x.sdimg:/etc/hostname/d"},
       "'x.sdimg': rootfs A (partition 2): '/etc/hostname/d': '/etc/hostname' is not a directory"},
  });
}

TEST_F(FilesRefused, FullImages) {
  folder_->write("large", std::string(9 << 20, 'x'));
  expect({
      {{"cp", "large", "x.sdimg:/data/"},
       "'x.sdimg': '/data/large': partition 4 ('data') of 'x.sdimg': no room for 'large': 9216 "
       "blocks "
       "of 1024 bytes needed, 7593 free"},
  });
}

TEST_F(FilesRefused, WhatCannotBeWrittenTo) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write to everything";
  ASSERT_EQ(::chmod("x.sdimg", 0444), 0);
  expect({{{"cp", "f", "x.sdimg:/data/"}, "opening 'x.sdimg': Permission denied", 4}});
}

}  // namespace
}  // namespace imprint::cli::test
