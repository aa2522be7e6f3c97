// The file commands as their users meet them; what they did is told by debugfs and e2fsck.

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "files_fixture.hpp"

namespace imprint::cli::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Runs a command that has to succeed without a word on standard error; its standard output.
std::string quietly(const std::vector<std::string>& arguments) {
  const CommandResult result = imprint(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return result.out;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    found.push_back(line);
  return found;
}

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_files_tools()) GTEST_SKIP() << "needs sfdisk, mke2fs, dosfstools and debugfs";
    folder_.emplace();
  }

  void TearDown() override {
    if (!folder_) return;
    EXPECT_EQ(folder_->complaints(), "");
  }

  void write(std::string_view name, std::string_view content) const {
    folder_->write(name, content);
  }

  [[nodiscard]] ImageOracle oracle() const { return folder_->oracle(); }

  std::optional<FilesFolder> folder_;
};

TEST_F(Files, InstallGivesTheModeThatWasAskedForInOctal) {
  write("key", "a key\n");
  for (const std::string mode : {"600", "0600", "00600"}) {
    quietly({"install", "-m", mode, "key", "x.sdimg:/data/mender/key" + mode});
    EXPECT_EQ(oracle().attributes(kData, "/mender/key" + mode), "0600 0:0") << mode;
    EXPECT_EQ(oracle().cat(kData, "/mender/key" + mode), "a key\n");
  }
  quietly({"install", "-m", "4755", "--owner", "12:34", "key", "x.sdimg:/data/tool"});
  EXPECT_EQ(oracle().attributes(kData, "/tool"), "04755 12:34");
}

TEST_F(Files, PathsLeadWhereTheDeviceWouldLook) {
  write("f", "f\n");
  quietly({"install", "-m", "0644", "f", "x.sdimg:/var/lib/mender/by-link"});
  quietly({"install", "-m", "0644", "f", "x.sdimg:/database/own"});
  quietly({"install", "-m", "0644", "f", "x.sdimg:/etc/alias/in-mender"});
  EXPECT_EQ(oracle().cat(kData, "/mender/by-link"), "f\n");
  for (const int root : {kRootfsA, kRootfsB}) {
    EXPECT_EQ(oracle().cat(root, "/database/own"), "f\n");
    EXPECT_EQ(oracle().cat(root, "/etc/mender/in-mender"), "f\n");
  }
  EXPECT_FALSE(oracle().exists(kData, "/database"));
  EXPECT_EQ(quietly({"cat", "x.sdimg:/var/lib/mender/by-link"}), "f\n");
}

TEST_F(Files, OneRootOrOnePartitionCanBeChosen) {
  write("f", "f\n");
  quietly({"install", "-m", "0644", "--rootfs", "b", "f", "x.sdimg:/etc/only-b"});
  quietly({"install", "-m", "0644", "--rootfs", "a", "f", "x.sdimg:/etc/only-a"});
  quietly({"install", "-m", "0644", "--part", "4", "f", "x.sdimg:/data"});
  EXPECT_FALSE(oracle().exists(kRootfsA, "/etc/only-b"));
  EXPECT_TRUE(oracle().exists(kRootfsB, "/etc/only-b"));
  EXPECT_FALSE(oracle().exists(kRootfsB, "/etc/only-a"));
  EXPECT_EQ(oracle().cat(kData, "/data"), "f\n") << "in a partition alone nothing is mounted";
  EXPECT_EQ(quietly({"cat", "x.sdimg:/etc/only-b"}), "f\n") << "reading takes the root that has it";
  EXPECT_THAT(lines(quietly({"ls", "--part", "3", "x.sdimg:/etc"})),
              ElementsAre("alias", "hostname", "loop", "mender", "only-b"));
}

TEST_F(Files, AReplacedFileKeepsWhatNobodyAskedToChange) {
  oracle().change(kRootfsA,
                  {"ea_set /etc/mender/mender.conf security.selinux system_u:object_r:etc_t:s0",
                   "sif /etc/mender/mender.conf uid 7"});
  write("new.conf", "{}\n");
  quietly({"cp", "new.conf", "x.sdimg:/etc/mender/mender.conf"});
  EXPECT_EQ(oracle().cat(kRootfsA, "/etc/mender/mender.conf"), "{}\n");
  EXPECT_EQ(oracle().cat(kRootfsB, "/etc/mender/mender.conf"), "{}\n");
  EXPECT_EQ(oracle().attributes(kRootfsA, "/etc/mender/mender.conf"), "0600 7:0");
  EXPECT_EQ(oracle().attributes(kRootfsB, "/etc/mender/mender.conf"), "0600 0:0");
  EXPECT_THAT(oracle().debugfs(kRootfsA, "ea_get /etc/mender/mender.conf security.selinux"),
              HasSubstr("system_u:object_r:etc_t:s0"));
  quietly({"cp", "-m", "0644", "--owner", ":5", "new.conf", "x.sdimg:/etc/mender/mender.conf"});
  EXPECT_EQ(oracle().attributes(kRootfsA, "/etc/mender/mender.conf"), "0644 7:5");
}

TEST_F(Files, TimesAndExtendedAttributesAreSetAsAsked) {
  write("f", "f\n");
  quietly({"install", "-m", "0644", "--mtime", "2030-01-31T12:00:00Z", "--selinux",
           "system_u:object_r:bin_t:s0", "--xattr", "user.note=hello", "--xattr",
           "user.bytes=0x00ff", "f", "x.sdimg:/data/f"});
  const auto record = Json::parse(quietly({"stat", "--json", "x.sdimg:/data/f"}))["results"][0];
  EXPECT_EQ(record["modified"], "2030-01-31T12:00:00Z");
  EXPECT_EQ(record["extended_attributes"]["security.selinux"], "system_u:object_r:bin_t:s0");
  EXPECT_EQ(record["extended_attributes"]["user.bytes"], "0x00ff");
  const std::string listed = oracle().debugfs(kData, "ea_list /f");
  EXPECT_THAT(listed, HasSubstr("user.note (5) = \"hello\""));
  EXPECT_THAT(listed, HasSubstr("security.selinux (27)"))
      << "the label ends in a NUL, as in the kernel";
  // Seconds since 1970 of that time, by date(1).
  EXPECT_THAT(oracle().debugfs(kData, "stat /f"), HasSubstr("mtime: 0x71040e40"));
}

TEST_F(Files, SourceDateEpochIsTheTimeOfAnEdit) {
  write("f", "f\n");
  ASSERT_EQ(::setenv("SOURCE_DATE_EPOCH", "1700000000", 1), 0);
  quietly({"install", "-m", "0644", "f", "x.sdimg:/data/f"});
  ::unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_THAT(quietly({"stat", "x.sdimg:/data/f"}), HasSubstr("2023-11-14T22:13:20Z"));
}

TEST_F(Files, DirectoriesGoInAndOutWhole) {
  fs::create_directories("tree/a/b");
  write("tree/a/b/file", "deep\n");
  write("tree/top", "top\n");
  ASSERT_EQ(::chmod("tree/top", 0640), 0);
  ASSERT_EQ(::chmod("tree/a", 0711), 0);
  fs::create_symlink("../top", "tree/a/link");
  fs::create_symlink("/etc/passwd", "tree/absolute");
  quietly({"cp", "-r", "tree", "x.sdimg:/data"});
  EXPECT_EQ(oracle().cat(kData, "/tree/a/b/file"), "deep\n");
  EXPECT_EQ(oracle().attributes(kData, "/tree/top"), "0640 0:0");
  EXPECT_EQ(oracle().attributes(kData, "/tree/a"), "0711 0:0");
  EXPECT_THAT(oracle().debugfs(kData, "stat /tree/a/link"), HasSubstr("\"../top\""));

  quietly({"cp", "-r", "-p", "x.sdimg:/data/tree", "back"});
  const auto compared = run_command({"diff", "-r", "--no-dereference", "tree", "back"});
  EXPECT_EQ(compared.status, 0) << compared.out;

  struct stat info {};

  ASSERT_EQ(::stat("back/top", &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);

  quietly({"cp", "-r", "tree", "x.sdimg:/etc"});
  EXPECT_EQ(oracle().cat(kRootfsB, "/etc/tree/top"), "top\n");
  quietly({"rm", "-r", "x.sdimg:/etc/tree", "x.sdimg:/data/tree"});
  EXPECT_FALSE(oracle().exists(kRootfsA, "/etc/tree"));
  EXPECT_FALSE(oracle().exists(kRootfsB, "/etc/tree"));
  EXPECT_FALSE(oracle().exists(kData, "/tree"));
}

TEST_F(Files, ACopyIntoADirectoryThatIsThereAddsToIt) {
  fs::create_directories("sub/dir");
  write("sub/dir/new", "new\n");
  quietly({"cp", "-r", "sub", "x.sdimg:/data/"});
  EXPECT_EQ(oracle().cat(kData, "/sub/dir/new"), "new\n");
  EXPECT_EQ(oracle().cat(kData, "/sub/dir/file"), "a file on data\n");
}

TEST_F(Files, FilesGoFromImageToImageAndThroughPipes) {
  fs::copy_file("x.sdimg", "y.sdimg");
  write("f", "from y\n");
  quietly({"install", "-m", "0640", "f", "y.sdimg:/data/f"});
  quietly({"cp", "y.sdimg:/data/f", "x.sdimg:/data/mender/"});
  EXPECT_EQ(oracle().cat(kData, "/mender/f"), "from y\n");
  EXPECT_EQ(oracle().attributes(kData, "/mender/f"), "0640 0:0");
  EXPECT_EQ(quietly({"cp", "x.sdimg:/data/mender/f", "-"}), "from y\n");

  const auto piped = imprint_with_input({"cp", "-m", "0600", "-", "x.sdimg:/data/piped"},
                                        std::string_view("a\0b", 3));
  EXPECT_EQ(piped.status, 0) << piped.err;
  EXPECT_EQ(quietly({"cat", "x.sdimg:/data/piped", "x.sdimg:/data/mender/f"}),
            std::string("a\0b", 3) + "from y\n");
  EXPECT_EQ(oracle().attributes(kData, "/piped"), "0600 0:0");
}

TEST_F(Files, SeveralFilesInOneCallAreAllThereOrNone) {
  write("one", "1\n");
  write("two", "2\n");
  quietly({"cp", "one", "two", "x.sdimg:/data/mender"});
  EXPECT_EQ(oracle().cat(kData, "/mender/one"), "1\n");
  EXPECT_EQ(oracle().cat(kData, "/mender/two"), "2\n");

  const std::string before = imprint::test::sha256_of_file("x.sdimg");
  EXPECT_EQ(imprint({"rm", "x.sdimg:/data/mender/one", "x.sdimg:/data/none"}).status, 2);
  EXPECT_EQ(imprint({"cp", "one", "absent", "x.sdimg:/data"}).status, 2);
  EXPECT_EQ(imprint({"mkdir", "x.sdimg:/data/new", "x.sdimg:/data/mender"}).status, 2);
  EXPECT_EQ(imprint::test::sha256_of_file("x.sdimg"), before);
  EXPECT_THAT(leftovers("."), IsEmpty());

  EXPECT_EQ(imprint({"cp", "x.sdimg:/data/mender/one", "x.sdimg:/data/absent", "."}).status, 2);
  EXPECT_EQ(slurp("one"), "1\n");
  EXPECT_THAT(leftovers("."), IsEmpty());
}

TEST_F(Files, MkdirMakesDirectoriesAndWithParentsTheWayToThem) {
  quietly({"mkdir", "x.sdimg:/data/d", "x.sdimg:/etc/d"});
  EXPECT_EQ(oracle().attributes(kData, "/d"), "0755 0:0");
  EXPECT_EQ(oracle().attributes(kRootfsB, "/etc/d"), "0755 0:0");
  quietly({"mkdir", "-p", "-m", "700", "--owner", "1:2", "x.sdimg:/data/e/f/g"});
  EXPECT_EQ(oracle().attributes(kData, "/e/f"), "0755 0:0");
  EXPECT_EQ(oracle().attributes(kData, "/e/f/g"), "0700 1:2");
  quietly({"mkdir", "-p", "x.sdimg:/data/e/f/g"});
  EXPECT_EQ(oracle().attributes(kData, "/e/f/g"), "0700 1:2") << "as it was";
  quietly({"install", "-d", "-m", "0711", "x.sdimg:/data/i/j"});
  EXPECT_EQ(oracle().attributes(kData, "/i/j"), "0711 0:0");
}

TEST_F(Files, RmTakesALinkAndLeavesWhatItNames) {
  quietly({"rm", "x.sdimg:/etc/alias", "x.sdimg:/etc/loop"});
  EXPECT_FALSE(oracle().exists(kRootfsA, "/etc/alias"));
  EXPECT_TRUE(oracle().exists(kRootfsA, "/etc/mender/mender.conf"));
  quietly({"rm", "-f", "x.sdimg:/etc/never"});
}

TEST_F(Files, WhatIsRemovedIsGoneFromTheBlocks) {
  const std::string secret = "the secret that must not stay behind\n";
  write("s", secret);
  quietly({"install", "-m", "0600", "s", "x.sdimg:/data/s"});
  EXPECT_THAT(slurp("x.sdimg"), HasSubstr(secret));
  quietly({"rm", "x.sdimg:/data/s"});
  EXPECT_THAT(slurp("x.sdimg"), Not(HasSubstr(secret)));
}

TEST_F(Files, WhereOnlyOneRootHasThePathTheOtherIsLeftAlone) {
  oracle().change(kRootfsA, {"mkdir /opt"});
  write("f", "f\n");
  const auto installed = imprint({"install", "-m", "0644", "f", "x.sdimg:/opt/f"});
  EXPECT_EQ(installed.status, 0);
  EXPECT_EQ(installed.err,
            "imprint: rootfs B (partition 3): left alone, '/opt/f': the directory '/opt' does not "
            "exist\n");
  EXPECT_EQ(oracle().cat(kRootfsA, "/opt/f"), "f\n");
}

TEST_F(Files, ReadingSaysWhenTheOtherRootDiffers) {
  write("f", "other\n");
  quietly({"cp", "--rootfs", "b", "f", "x.sdimg:/etc/hostname"});
  const auto read = imprint({"cat", "x.sdimg:/etc/hostname"});
  EXPECT_EQ(read.out, "device\n");
  EXPECT_EQ(read.err, "imprint: '/etc/hostname' differs in rootfs B, which --rootfs b shows\n");
  EXPECT_EQ(quietly({"cat", "--rootfs", "b", "x.sdimg:/etc/hostname"}), "other\n");
}

TEST_F(Files, AnImageMayHaveColonsInItsName) {
  fs::create_directories("a:b:");
  fs::copy_file("x.sdimg", "a:b:/c:d.img");
  write("f", "f\n");
  quietly({"install", "-m", "0644", "f", "a:b:/c:d.img:/data/f:g"});
  EXPECT_EQ(ImageOracle("a:b:/c:d.img").cat(kData, "/f:g"), "f\n");
  EXPECT_EQ(quietly({"cat", "a:b:/c:d.img:/data/f:g"}), "f\n");
  EXPECT_THAT(quietly({"ls", "a:b:/c:d.img"}), HasSubstr("database\n"));
}

TEST_F(Files, LsShowsWhatIsThere) {
  EXPECT_THAT(lines(quietly({"ls", "x.sdimg:/etc"})),
              ElementsAre("alias", "hostname", "loop", "mender"));
  EXPECT_THAT(quietly({"ls", "-l", "x.sdimg:/etc"}), HasSubstr(" alias -> mender\n"));
  EXPECT_THAT(quietly({"ls", "-l", "x.sdimg:/etc/mender/mender.conf"}),
              testing::StartsWith("-rw-------   1     0     0"));
  EXPECT_THAT(lines(quietly({"ls", "x.sdimg:/data", "x.sdimg:/data/mender"})),
              ElementsAre("x.sdimg:/data:", "lost+found", "mender", "sub", "",
                          "x.sdimg:/data/mender:", "device_type"));
  EXPECT_THAT(lines(quietly({"ls", "-R", "x.sdimg:/data/sub"})),
              ElementsAre("x.sdimg:/data/sub:", "dir", "", "x.sdimg:/data/sub/dir:", "file"));
  EXPECT_EQ(quietly({"ls", "-d", "x.sdimg:/data"}), "x.sdimg:/data\n");
  const auto entries = Json::parse(quietly({"ls", "--json", "x.sdimg:/data/mender"}))["entries"];
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0]["name"], "device_type");
  EXPECT_EQ(entries[0]["size"], 17);
}

TEST_F(Files, ACopyOutReplacesNoDeviceAndGoesThroughLinks) {
  write("there", "old\n");
  fs::create_symlink("there", "link");
  fs::create_symlink("nothing", "dangling");
  ASSERT_EQ(::mkfifo("fifo", 0600), 0);
  const auto refused = imprint({"cp", "x.sdimg:/etc/hostname", "fifo"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.err,
            "imprint: error: 'fifo' is not a regular file; - writes to standard output\n");
  EXPECT_TRUE(fs::is_fifo("fifo"));
  const auto nowhere = imprint({"cp", "x.sdimg:/etc/hostname", "dangling"});
  EXPECT_EQ(nowhere.status, 2);
  EXPECT_EQ(nowhere.err,
            "imprint: error: 'dangling' is a symbolic link to nothing that could be written to; "
            "remove it, or name the file itself\n");
  EXPECT_TRUE(fs::is_symlink("dangling"));
  quietly({"cp", "x.sdimg:/etc/hostname", "link"});
  EXPECT_TRUE(fs::is_symlink("link"));
  EXPECT_EQ(slurp("there"), quietly({"cat", "x.sdimg:/etc/hostname"}));
}

TEST_F(Files, AClosedStandardInputIsNotTheImage) {
  const std::string before = imprint::test::sha256_of_file("x.sdimg");
  const auto closed = imprint::test::run_command(
      {"sh", "-c", "exec \"$0\" install -m 0600 - x.sdimg:/data/f <&-", binary()});
  EXPECT_EQ(closed.status, 4) << closed.err;
  EXPECT_EQ(closed.err, "imprint: error: reading standard input: Bad file descriptor\n");
  EXPECT_EQ(imprint::test::sha256_of_file("x.sdimg"), before);
}

TEST_F(Files, OutputThatCannotBeWrittenIsAFailure) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
  for (const std::string command :
       {"cat x.sdimg:/etc/hostname", "ls x.sdimg", "stat x.sdimg", "cp x.sdimg:/etc/hostname -"}) {
    const auto result = run_command({"sh", "-c", binary() + " " + command + " >/dev/full"});
    EXPECT_EQ(result.status, 4) << command;
    EXPECT_EQ(result.err, "imprint: error: writing standard output failed\n") << command;
  }
}

TEST_F(Files, StatOfAnImageShowsItsParts) {
  const auto record = Json::parse(quietly({"stat", "--json", "x.sdimg"}))["results"][0];
  EXPECT_EQ(record["table"], "mbr");
  std::vector<std::string> roles;
  for (const auto& partition : record["partitions"])
    roles.push_back(partition["role"]);
  EXPECT_THAT(roles, ElementsAre("boot", "rootfs A", "rootfs B", "data"));
  EXPECT_THAT(quietly({"stat", "x.sdimg:/etc/alias"}), HasSubstr("link"));
  EXPECT_THAT(quietly({"stat", "-L", "x.sdimg:/etc/alias"}), HasSubstr("directory"));
}

}  // namespace
}  // namespace imprint::cli::test
