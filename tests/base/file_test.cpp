#include "imprint/base/file.hpp"

#include <chrono>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/fault.hpp"
#include "support/matchers.hpp"
#include "support/nobody.hpp"
#include "support/temp_dir.hpp"

namespace imprint {
namespace {

using test::FailsWith;
using test::IsOk;
using test::slurp;
using test::TempDir;

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename().native());
  }
  return names;
}

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

/// The umask of a careful or a careless user, put back at the end.
class ScopedUmask {
 public:
  explicit ScopedUmask(mode_t mask) : before_(::umask(mask)) {}

  ScopedUmask(const ScopedUmask&) = delete;
  ScopedUmask& operator=(const ScopedUmask&) = delete;

  ~ScopedUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

TEST(File, ReadsAndWritesAtOffsets) {
  const TempDir dir;
  File file = File::create_new(dir / "f", 0600).value();
  ASSERT_THAT(file.write_all(3, bytes_of("abc")), IsOk());
  EXPECT_EQ(file.size_bytes().value(), 6U);
  Bytes middle(2);
  ASSERT_THAT(file.read_exact(4, middle), IsOk());
  EXPECT_EQ(text_of(middle), "bc");
  EXPECT_THAT(file.close(), IsOk());
  EXPECT_EQ(slurp(dir / "f"), std::string("\0\0\0abc", 6));
}

TEST(File, EndingTooEarlyIsCorrupt) {
  const TempDir dir;
  const File file = File::open_read(dir.write("f", "abc")).value();
  Bytes much(5);
  EXPECT_THAT(file.read_exact(1, much), FailsWith(Code::corrupt, "ends at byte 3, but 3 more"));
}

TEST(File, CreateNewNeverOpensWhatExists) {
  const TempDir dir;
  const fs::path path = dir.write("f", "old");
  EXPECT_THAT(File::create_new(path, 0600), FailsWith(Code::exists, "creating '"));
  fs::create_symlink(dir / "nowhere", dir / "link");
  EXPECT_THAT(File::create_new(dir / "link", 0600), FailsWith(Code::exists, "link'"));
  EXPECT_EQ(slurp(path), "old");
}

TEST(File, CreateNewHasTheExactModeWhateverTheUmask) {
  const TempDir dir;
  for (const mode_t mask : {0U, 022U, 0777U}) {
    const ScopedUmask umask(mask);
    for (const unsigned mode : {0600U, 0644U, 0444U}) {
      const fs::path path = dir / (std::to_string(mask) + "-" + std::to_string(mode));
      ASSERT_THAT(File::create_new(path, mode), IsOk());
      EXPECT_EQ(mode_of(path), mode);
    }
  }
}

TEST(File, UnnamedFilesAreNowhereToBeSeen) {
  const TempDir dir;
  File file = File::create_unnamed(dir / "not" / "there", "shown").value();
  EXPECT_TRUE(fs::is_empty(dir.path()));
  EXPECT_EQ(file.path(), dir / "shown");
  ASSERT_THAT(file.write_all(2, bytes_of("abc")), IsOk());
  Bytes content(5);
  ASSERT_THAT(file.read_exact(0, content), IsOk());
  EXPECT_EQ(text_of(content), std::string("\0\0abc", 5));
  EXPECT_TRUE(::fcntl(file.fd(), F_GETFD) & FD_CLOEXEC);
}

// As on NFS and FAT.
TEST(File, UnnamedFilesLoseTheirNameWhereThereAreNone) {
  const TempDir dir;
  std::vector<std::string> calls;
  const test::ScopedFaultHook hook([&calls](std::string_view operation) {
    calls.emplace_back(operation);
    return calls.size() == 1 ? EOPNOTSUPP : 0;
  });
  const File file = File::create_unnamed(dir.path(), "shown").value();
  EXPECT_EQ(calls, (std::vector<std::string>{"open", "open", "fchmod", "unlink"}));
  EXPECT_TRUE(fs::is_empty(dir.path()));
  EXPECT_EQ(file.path(), dir / "shown");
}

TEST(File, UnnamedFilesThatCannotBeMadeNameTheFolder) {
  const TempDir dir;
  const test::ScopedFaultHook hook([](std::string_view) { return EACCES; });
  EXPECT_THAT(File::create_unnamed(dir.path(), "shown"),
              FailsWith(Code::io, "making a file in '" + dir.path().native() + "': Permission"));
}

TEST(File, DescriptorIsNotInherited) {
  const TempDir dir;
  const File created = File::create_new(dir / "f", 0600).value();
  const File opened = File::open_read(dir / "f").value();
  EXPECT_TRUE(::fcntl(created.fd(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(opened.fd(), F_GETFD) & FD_CLOEXEC);
}

TEST(File, MissingFileIsNotFound) {
  EXPECT_THAT(File::open_read("/nonexistent/f"),
              FailsWith(Code::not_found, "opening '/nonexistent/f': No such file"));
}

TEST(File, OnlyRegularFilesAreOpened) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  fs::create_directory(dir / "directory");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string socket_path = dir / "socket";
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);

  const auto start = std::chrono::steady_clock::now();
  for (const fs::path& path :
       {dir / "fifo", dir / "directory", fs::path(socket_path), fs::path("/dev/null")}) {
    EXPECT_THAT(File::open_read(path), FailsWith(Code::invalid_input, "is not a regular file"));
    EXPECT_THAT(File::open_read_write(path),
                FailsWith(Code::invalid_input, "is not a regular file"));
    EXPECT_THAT(read_file(path), FailsWith(Code::invalid_input, "is not a regular file"));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  ::close(listener);
}

TEST(File, MovedFromOwnsNothing) {
  const TempDir dir;
  File first = File::create_new(dir / "a", 0600).value();
  File second = File::create_new(dir / "b", 0600).value();
  const int descriptor = first.fd();
  const int replaced = second.fd();
  second = std::move(first);
  EXPECT_EQ(second.fd(), descriptor);
  EXPECT_EQ(second.path(), dir / "a");
  EXPECT_EQ(::fcntl(replaced, F_GETFD), -1) << "the replaced descriptor must be closed";
  EXPECT_THAT(second.close(), IsOk());
  EXPECT_FALSE(second.is_open());
  EXPECT_THAT(second.close(), IsOk()) << "closing twice is harmless";
}

TEST(NewFile, AppearsWholeWhenPublished) {
  const TempDir dir;
  const fs::path target = dir / "image";
  NewFile file = NewFile::beside(target, 0600).value();
  ASSERT_THAT(file.file().write_all(0, bytes_of("whole")), IsOk());
  EXPECT_FALSE(fs::exists(target));
  EXPECT_EQ(file.temporary_path().parent_path(), dir.path());
  EXPECT_THAT(file.publish(), IsOk());
  EXPECT_EQ(slurp(target), "whole");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"image"});
  EXPECT_EQ(mode_of(target), 0600U);
}

TEST(NewFile, LeavesNothingWhenNotPublished) {
  const TempDir dir;
  const fs::path target = dir.write("image", "old");
  {
    NewFile file = NewFile::beside(target, 0600).value();
    ASSERT_THAT(file.file().write_all(0, bytes_of("half")), IsOk());
    const NewFile moved = std::move(file);
    EXPECT_TRUE(fs::exists(moved.temporary_path()));
  }
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"image"});
  EXPECT_EQ(slurp(target), "old");
}

TEST(NewFile, TemporaryNameIsHiddenAndTellsWhoseItIs) {
  const TempDir dir;
  const NewFile file = NewFile::beside(dir / "image", 0600).value();
  EXPECT_THAT(file.temporary_path().filename().native(),
              testing::MatchesRegex("\\.image\\.[0-9a-f]{16}\\.tmp"));
}

TEST(NewFile, LongestNameHasATemporaryNameToo) {
  const TempDir dir;
  const fs::path target = dir / std::string(255, 'n');
  NewFile file = NewFile::beside(target, 0600).value();
  EXPECT_THAT(file.publish(), IsOk());
  EXPECT_TRUE(fs::exists(target));
}

TEST(NewFile, RefusesWhatIsNoFileName) {
  for (const char* target : {"", "dir/", "dir/.", ".."}) {
    EXPECT_THAT(NewFile::beside(target, 0600),
                FailsWith(Code::invalid_input, "is not the name of a file"))
        << target;
  }
}

TEST(NewFile, NamesTheDirectoryThatIsMissing) {
  EXPECT_THAT(NewFile::beside("/nonexistent/image", 0600),
              FailsWith(Code::not_found, "creating '/nonexistent/.image."));
}

TEST(NewFile, NeverReplacesADirectory) {
  const TempDir dir;
  fs::create_directory(dir / "image");
  NewFile file = NewFile::beside(dir / "image", 0600).value();
  EXPECT_THAT(file.publish(), FailsWith(Code::invalid_input, "publishing '"));
}

TEST(NewFile, NeverReplacesWhatIsNoRegularFile) {
  const TempDir dir;
  const fs::path fifo = dir / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(NewFile::beside(fifo, 0600),
              FailsWith(Code::invalid_input, "'" + fifo.native() + "' is not a regular file"));
  fs::create_symlink("/dev/null", dir / "link");
  EXPECT_THAT(NewFile::beside(dir / "link", 0600), FailsWith(Code::invalid_input));
  // As /dev/stdout is, when it leads to a regular file.
  const File open = File::create_new(dir / "f", 0600).value();
  fs::create_symlink("/proc/self/fd/" + std::to_string(open.fd()), dir / "stdout");
  EXPECT_THAT(NewFile::beside(dir / "stdout", 0600), FailsWith(Code::invalid_input));
  EXPECT_TRUE(fs::is_fifo(fifo));
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(names_in(dir.path()).size(), 4U) << "a temporary file was left";
}

TEST(ReadFile, RefusesMoreThanTheLimit) {
  const TempDir dir;
  const fs::path path = dir.write("f", "12345");
  EXPECT_EQ(text_of(read_file(path, 5).value()), "12345");
  EXPECT_THAT(read_file(path, 4),
              FailsWith(Code::invalid_input, "has 5 bytes; at most 4 are accepted"));
}

TEST(WriteFileAtomic, ReplacesContentAndMode) {
  const TempDir dir;
  const fs::path path = dir.write("f", "old");
  ASSERT_THAT(write_file_atomic(path, bytes_of("new"), 0640), IsOk());
  EXPECT_EQ(slurp(path), "new");
  EXPECT_EQ(mode_of(path), 0640U);
}

TEST(MakeDirectories, MakesAllThatAreMissing) {
  const TempDir dir;
  const ScopedUmask umask(0);
  ASSERT_THAT(make_directories(dir / "a/b/c", 0700), IsOk());
  EXPECT_EQ(mode_of(dir / "a"), 0700U);
  EXPECT_EQ(mode_of(dir / "a/b/c"), 0700U);
  EXPECT_THAT(make_directories(dir / "a/b/c"), IsOk());
  EXPECT_THAT(make_directories(dir / "a/slash/"), IsOk());
  EXPECT_TRUE(fs::is_directory(dir / "a/slash"));
  EXPECT_THAT(make_directories(""), IsOk());
}

TEST(MakeDirectories, NamesWhatIsInTheWay) {
  const TempDir dir;
  dir.write("f", "");
  EXPECT_THAT(make_directories(dir / "f"),
              FailsWith(Code::invalid_input, "exists and is no directory"));
  EXPECT_THAT(make_directories(dir / "f/sub"),
              FailsWith(Code::not_found, "making the directory '"));
}

TEST(PathExists, SaysWhyItCannotTell) {
  const TempDir dir;
  const fs::path file = dir.write("f", "");
  EXPECT_TRUE(path_exists(file).value());
  EXPECT_FALSE(path_exists(dir / "none").value());
  EXPECT_FALSE(path_exists(file / "below a file").value());
  fs::create_symlink("none", dir / "dangling");
  EXPECT_FALSE(path_exists(dir / "dangling").value());
  fs::create_symlink("loop", dir / "loop");
  EXPECT_THAT(path_exists(dir / "loop"),
              FailsWith(Code::invalid_input, "looking for '" + (dir / "loop").native() +
                                                 "': Too many levels of symbolic links"));
}

TEST(PathExists, IsNoNoForWhoMayNotLook) {
  const TempDir dir;
  fs::create_directory(dir / "locked");
  dir.write("locked/f", "");
  fs::permissions(dir / "locked", fs::perms::none);
  {
    const test::ScopedNobody nobody;
    if (!nobody.works()) GTEST_SKIP() << "cannot become another user";
    EXPECT_THAT(path_exists(dir / "locked/f"), FailsWith(Code::io, "locked/f': Permission denied"));
  }
  fs::permissions(dir / "locked", fs::perms::owner_all);
}

TEST(RemoveFile, MissingFileIsNoError) {
  const TempDir dir;
  const fs::path path = dir.write("f", "");
  EXPECT_THAT(remove_file(path), IsOk());
  EXPECT_FALSE(fs::exists(path));
  EXPECT_THAT(remove_file(path), IsOk());
  EXPECT_THAT(remove_file(dir.path()), FailsWith(Code::invalid_input, "removing '"));
}

TEST(SyncDirectory, NamesWhatIsNoDirectory) {
  const TempDir dir;
  EXPECT_THAT(sync_directory(dir.path()), IsOk());
  EXPECT_THAT(sync_directory(""), IsOk()) << "the current directory";
  EXPECT_THAT(sync_directory(dir.write("f", "")),
              FailsWith(Code::not_found, "opening the directory '"));
}

TEST(FreeSpace, AgreesWithDf) {
  IMPRINT_NEED_COMMAND("df");
  const TempDir dir;
  const auto df = test::run_command({"df", "-B1", "--output=avail", dir.path().native()});
  const double expected = std::stod(df.out.substr(df.out.find('\n')));
  const double tolerance = 256.0 * 1024 * 1024;  // others write to the same file system meanwhile
  EXPECT_NEAR(static_cast<double>(free_space_bytes(dir.path()).value()), expected, tolerance);
}

TEST(FreeSpace, OfAPathNotYetMadeIsItsParents) {
  const TempDir dir;
  dir.write("file", "");
  EXPECT_THAT(free_space_bytes(dir / "not/yet/there"), IsOk());
  EXPECT_THAT(free_space_bytes(dir / "file/below"), IsOk());
  EXPECT_THAT(free_space_bytes("not-yet-there"), IsOk());
  EXPECT_THAT(free_space_bytes(""), IsOk());
}

}  // namespace
}  // namespace imprint
