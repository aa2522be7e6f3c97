#include "imprint/base/whole_folder.hpp"

#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "support/fault.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint {
namespace {

using imprint::test::FailNth;
using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::slurp;
using imprint::test::TempDir;
using Content = std::map<std::string, std::string>;

/// Files below a folder, by their names in it; folders end in a slash.
Content content_of(const fs::path& folder) {
  Content content;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (entry.is_directory()) {
      content[name + "/"] = "";
    } else {
      content[name] = slurp(entry.path());
    }
  }
  return content;
}

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

/// A new folder with two files.
Result<> make(const fs::path& target) {
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(target, 0750));
  IMPRINT_TRY(folder.write("a", bytes_of("one"), 0640));
  IMPRINT_TRY(folder.write("below/b", bytes_of("two"), 0600));
  return folder.publish();
}

/// `a` is moved, `below/b` stays, `c` is new, and `gone` goes.
Result<> change(const fs::path& target) {
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(target, 0700));
  IMPRINT_TRY(folder.keep_all_but({"a", "gone"}));
  IMPRINT_TRY(folder.keep("a", "old/a"));
  IMPRINT_TRY(folder.write("c", bytes_of("three"), 0600));
  return folder.publish();
}

TEST(WholeFolder, IsMadeAsAWhole) {
  const TempDir dir;
  ASSERT_THAT(make(dir / "new/tree"), IsOk());
  EXPECT_EQ(content_of(dir / "new/tree"),
            (Content{{"a", "one"}, {"below/", ""}, {"below/b", "two"}}));
  EXPECT_EQ(mode_of(dir / "new/tree"), 0750U);
  EXPECT_EQ(mode_of(dir / "new/tree/a"), 0640U);
  EXPECT_EQ(mode_of(dir / "new/tree/below/b"), 0600U);
  EXPECT_EQ(content_of(dir / "new").size(), 4U) << "nothing beside it";
}

TEST(WholeFolder, IsChangedAsAWhole) {
  const TempDir dir;
  ASSERT_THAT(make(dir / "tree"), IsOk());
  fs::create_directories(dir / "tree/gone/deep");
  dir.write("tree/gone/deep/x", "x");
  fs::create_symlink("a", dir / "tree/link");
  struct stat before = {};
  ASSERT_EQ(::stat((dir / "tree/a").c_str(), &before), 0);
  fs::create_directory_symlink("tree", dir / "alias");
  ASSERT_THAT(change(dir / "alias"), IsOk());
  EXPECT_TRUE(fs::is_symlink(dir / "alias"));
  EXPECT_EQ(fs::read_symlink(dir / "tree/link"), "a");
  fs::remove(dir / "tree/link");
  EXPECT_EQ(
      content_of(dir / "tree"),
      (Content{
          {"below/", ""}, {"below/b", "two"}, {"c", "three"}, {"old/", ""}, {"old/a", "one"}}));
  struct stat after = {};
  ASSERT_EQ(::stat((dir / "tree/old/a").c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino) << "the same file, with its mode and owner";
  EXPECT_EQ(mode_of(dir / "tree"), 0750U);
  EXPECT_FALSE(fs::exists(dir / ".tree.new"));
}

TEST(WholeFolder, UnpublishedLeavesNothing) {
  const TempDir dir;
  {
    auto folder = WholeFolder::beside(dir / "tree", 0700);
    ASSERT_THAT(folder, IsOk());
    ASSERT_THAT(folder->write("a", bytes_of("x"), 0600), IsOk());
    EXPECT_THAT(folder->write("a", bytes_of("y"), 0600), FailsWith(Code::exists, "'"));
  }
  EXPECT_TRUE(content_of(dir.path()).empty());
}

// Whichever call fails: what was there is there, and nothing is beside it.
TEST(WholeFolder, AFailingCallLeavesWhatWasThere) {
  int failures = 0;
  for (int n = 1;; ++n) {
    const TempDir dir;
    ASSERT_THAT(make(dir / "tree"), IsOk());
    const Content before = content_of(dir.path());
    Result<> changed;
    bool fired = false;
    {
      const FailNth fault(n, ENOSPC);
      changed = change(dir / "tree");
      fired = fault.fired();
    }
    if (!fired) {
      EXPECT_THAT(changed, IsOk());
      break;
    }
    ++failures;
    EXPECT_THAT(changed, FailsWith(Code::no_space, "No space left on device")) << n;
    EXPECT_EQ(content_of(dir.path()), before) << "after failing call " << n;
  }
  EXPECT_GE(failures, 8);
}

TEST(WholeFolder, LeftoversOfAKilledRunAreCleared) {
  const TempDir dir;
  fs::create_directories(dir / ".tree.new/below");
  dir.write(".tree.new/below/secret", "half");
  ASSERT_THAT(make(dir / "tree"), IsOk());
  EXPECT_EQ(content_of(dir / "tree").size(), 3U);
  EXPECT_FALSE(fs::exists(dir / ".tree.new"));
}

TEST(WholeFolder, OneAtATime) {
  const TempDir dir;
  const auto first = WholeFolder::beside(dir / "tree", 0700);
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(WholeFolder::beside(dir / "tree", 0700),
              FailsWith(Code::busy, "another run is writing '" + (dir / "tree").string() +
                                        "'; wait for it to end"));
}

TEST(WholeFolder, PlacesThatCannotBeExchanged) {
  const TempDir dir;
  const fs::path file = dir.write("file", "x");
  EXPECT_THAT(WholeFolder::beside(file, 0700),
              FailsWith(Code::invalid_input, "'" + file.string() + "' exists and is no folder"));
  EXPECT_THAT(WholeFolder::beside(file / "below", 0700),
              FailsWith(Code::invalid_input, "exists and is no directory"));
  const fs::path before = fs::current_path();
  fs::create_directories(dir / "here/below");
  for (const char* const place : {"here", "here/below"}) {
    fs::current_path(dir / place);
    EXPECT_THAT(WholeFolder::beside(dir / "here", 0700),
                FailsWith(Code::invalid_input,
                          "is the working directory or above it, and is exchanged as a whole; go "
                          "elsewhere, or name a folder inside of it"));
    fs::current_path(before);
  }
  EXPECT_FALSE(fs::exists(dir / ".here.new"));
}

}  // namespace
}  // namespace imprint
