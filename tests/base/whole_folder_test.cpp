#include "imprint/base/whole_folder.hpp"

#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "support/fault.hpp"
#include "support/matchers.hpp"
#include "support/nobody.hpp"
#include "support/temp_dir.hpp"

namespace imprint {
namespace {

using imprint::test::FailNth;
using imprint::test::FailsWith;
using imprint::test::IsOk;
using imprint::test::ScopedFaultHook;
using imprint::test::ScopedNobody;
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

Result<std::vector<Ownership>> replace_two(const fs::path& target) {
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(target, 0700));
  IMPRINT_TRY(folder.keep_all_but({"a", "b"}));
  std::vector<Ownership> owners;
  for (const char* name : {"a", "b", "new"})
    owners.push_back(IMPRINT_TRY(folder.replace(name, bytes_of("other"), 0600)));
  IMPRINT_TRY(folder.publish());
  return owners;
}

TEST(WholeFolder, WhatIsReplacedStaysItsOwners) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  const TempDir dir;
  fs::create_directories(dir / "tree/temporary");
  fs::permissions(dir / "tree/temporary", fs::perms{0700});
  dir.write("tree/a", "one");
  dir.write("tree/b", "two");
  ASSERT_EQ(::chown((dir / "tree/a").c_str(), 65534, 65533), 0);
  ASSERT_EQ(::chown((dir / "tree/temporary").c_str(), 65534, 65533), 0);
  fs::permissions(dir / "tree/a", fs::perms{0644});
  fs::permissions(dir / "tree/b", fs::perms{0600});
  const auto owners = replace_two(dir / "tree");
  ASSERT_THAT(owners, IsOk());
  EXPECT_EQ(*owners, (std::vector<Ownership>{Ownership::given, Ownership::same, Ownership::same}));
  for (const char* name : {"tree/a", "tree/temporary"}) {
    struct stat status = {};
    ASSERT_EQ(::stat((dir / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 65534U) << name;
    EXPECT_EQ(status.st_gid, 65533U) << name;
  }
  EXPECT_EQ(slurp(dir / "tree/a"), "other");
  EXPECT_EQ(mode_of(dir / "tree/a"), 0640U) << "the group could read it, and others get nothing";
  EXPECT_EQ(mode_of(dir / "tree/b"), 0600U);
  EXPECT_EQ(mode_of(dir / "tree/temporary"), 0700U);
}

TEST(WholeFolder, WhoMayNotGiveFilesAwayIsTold) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs a file of another user's";
  const TempDir dir;
  fs::create_directory(dir / "tree");
  for (const char* name : {"tree/a", "tree/b"})
    dir.write(name, "one");
  ASSERT_EQ(::chown((dir / "tree/a").c_str(), 65534, 65534), 0);
  const ScopedFaultHook hook([](std::string_view call) { return call == "fchown" ? EPERM : 0; });
  const auto owners = replace_two(dir / "tree");
  ASSERT_THAT(owners, IsOk());
  EXPECT_EQ(owners->front(), Ownership::lost);
  EXPECT_EQ(mode_of(dir / "tree/a"), 0600U);
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

// The folder's own mode, and that of one below it, would keep even their owner from filling them.
TEST(WholeFolder, FoldersMayBeShutToTheirOwner) {
  const TempDir dir;
  fs::permissions(dir.path(), fs::perms::all);
  const ScopedNobody nobody;
  ASSERT_THAT(make(dir / "tree"), IsOk());
  fs::permissions(dir / "tree/below", fs::perms::owner_read | fs::perms::owner_exec);
  fs::permissions(dir / "tree", fs::perms::owner_read | fs::perms::owner_exec);
  ASSERT_THAT(change(dir / "tree"), IsOk());
  EXPECT_EQ(
      content_of(dir / "tree"),
      (Content{
          {"below/", ""}, {"below/b", "two"}, {"c", "three"}, {"old/", ""}, {"old/a", "one"}}));
  EXPECT_EQ(mode_of(dir / "tree"), 0500U);
  EXPECT_EQ(mode_of(dir / "tree/below"), 0500U);
  EXPECT_FALSE(fs::exists(dir / ".tree.new"));
  fs::permissions(dir / "tree", fs::perms::owner_all);
  fs::permissions(dir / "tree/below", fs::perms::owner_all);
}

TEST(WholeFolder, OneThatCannotBeReadLeavesNothing) {
  const TempDir dir;
  fs::permissions(dir.path(), fs::perms::all);
  const ScopedNobody nobody;
  ASSERT_THAT(make(dir / "tree"), IsOk());
  fs::permissions(dir / "tree", fs::perms::none);
  EXPECT_THAT(change(dir / "tree"),
              FailsWith(Code::io,
                        "reading the folder '" + (dir / "tree").string() + "': Permission denied"));
  EXPECT_FALSE(fs::exists(dir / ".tree.new"));
  EXPECT_EQ(mode_of(dir / "tree"), 0U);
  fs::permissions(dir / "tree", fs::perms::owner_all);
}

TEST(WholeFolder, LeftoversAreClearedEvenWhenTheyAreShut) {
  const TempDir dir;
  fs::permissions(dir.path(), fs::perms::all);
  const ScopedNobody nobody;
  fs::create_directories(dir / ".tree.new/below/deep");
  dir.write(".tree.new/below/deep/secret", "half");
  for (const char* const shut : {".tree.new/below/deep", ".tree.new/below", ".tree.new"})
    fs::permissions(dir / shut, fs::perms::none);
  ASSERT_THAT(make(dir / "tree"), IsOk());
  EXPECT_EQ(content_of(dir / "tree").size(), 3U);
  EXPECT_FALSE(fs::exists(dir / ".tree.new"));
}

TEST(WholeFolder, LeftoversOfAnotherUserAreNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be two users";
  const TempDir dir;
  fs::create_directory(dir / ".tree.new");
  fs::permissions(dir / ".tree.new", fs::perms::none);
  fs::permissions(dir.path(), fs::perms::all);
  const ScopedNobody nobody;
  ASSERT_TRUE(nobody.works());
  EXPECT_THAT(make(dir / "tree"),
              FailsWith(Code::io, "'" + (dir / ".tree.new").string() +
                                      "' was left by another user's run and has to be removed "
                                      "first: Permission denied"));
}

/// A file for an owner, in a folder below one that belongs to another one.
Result<> write_for(const fs::path& target, Owner owner) {
  WholeFolder folder = IMPRINT_TRY(WholeFolder::beside(target, 0700));
  IMPRINT_TRY(folder.keep_all_but({}));
  IMPRINT_TRY(folder.write("next/key", bytes_of("x"), 0600, owner));
  return folder.publish();
}

TEST(WholeFolder, FilesAndFoldersHaveTheirOwners) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give files away";
  const TempDir dir;
  ASSERT_THAT(make(dir / "tree"), IsOk());
  ASSERT_EQ(::chown((dir / "tree").c_str(), 65533, 65532), 0);
  ASSERT_EQ(::chown((dir / "tree/below").c_str(), 65531, 65530), 0);
  ASSERT_THAT(write_for(dir / "tree", {65534, 65533}), IsOk());
  EXPECT_EQ(owner_of(dir / "tree"), (Owner{65533, 65532}));
  EXPECT_EQ(owner_of(dir / "tree/below"), (Owner{65531, 65530}));
  EXPECT_EQ(owner_of(dir / "tree/next"), (Owner{65533, 65532}));
  EXPECT_EQ(owner_of(dir / "tree/next/key"), (Owner{65534, 65533}));
  EXPECT_EQ(mode_of(dir / "tree/next/key"), 0600U);
}

TEST(WholeFolder, WhatCannotBeGivenAwayStaysOurs) {
  const TempDir dir;
  ASSERT_THAT(make(dir / "tree"), IsOk());
  const Owner ours = owner_of(dir / "tree").value();
  {
    const ScopedFaultHook no_privilege(
        [](std::string_view operation) { return operation == "fchown" ? EPERM : 0; });
    ASSERT_THAT(write_for(dir / "tree", {ours.user + 1, ours.group + 1}), IsOk());
  }
  EXPECT_EQ(owner_of(dir / "tree/next/key"), ours);
  fs::remove_all(dir / "tree/next");
  const ScopedFaultHook broken(
      [](std::string_view operation) { return operation == "fchown" ? EIO : 0; });
  EXPECT_THAT(write_for(dir / "tree", {ours.user + 1, ours.group + 1}),
              FailsWith(Code::io, "setting the owner of '"));
  EXPECT_FALSE(fs::exists(dir / "tree/next"));
}

TEST(WholeFolder, NothingIsWrittenThroughLinks) {
  const TempDir dir;
  ASSERT_THAT(make(dir / "tree"), IsOk());
  fs::create_directory(dir / "elsewhere");
  fs::create_directory_symlink("../elsewhere", dir / "tree/next");
  EXPECT_THAT(write_for(dir / "tree", {}),
              FailsWith(Code::invalid_input,
                        "'" + (dir / "tree/next").string() +
                            "' is a symbolic link, and what is below it could not be exchanged in "
                            "one step; put the folder itself there"));
  EXPECT_TRUE(fs::is_empty(dir / "elsewhere"));
  fs::remove(dir / "tree/next");
  dir.write("tree/next", "a file");
  EXPECT_THAT(write_for(dir / "tree", {}),
              FailsWith(Code::invalid_input,
                        "'" + (dir / "tree/next").string() + "' exists and is no folder"));
}

TEST(WholeFolder, LinksThatLeadNowhere) {
  const TempDir dir;
  fs::create_directory_symlink("gone", dir / "link");
  EXPECT_THAT(make(dir / "link"),
              FailsWith(Code::invalid_input,
                        "'" + (dir / "link").string() +
                            "' is a symbolic link to 'gone', which does not exist; make that "
                            "first, or remove the link"));
  fs::create_directory_symlink("circle", dir / "circle");
  EXPECT_THAT(make(dir / "circle"),
              FailsWith(Code::invalid_input, "': Too many levels of symbolic links"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 2);
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
