// What can go wrong before there is an appliance, and with one that never answers: no launch
// needed.

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "handle.hpp"
#include "imprint/guestfs/appliance.hpp"
#include "launch.hpp"
#include "library.hpp"
#include "machine.hpp"
#include "processes.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace imprint::guestfs {
namespace {

using test::FailsWith;
using test::IsOk;

/// A variable of the environment, put back afterwards.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }

  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

  ~ScopedVariable() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

#define IMPRINT_NEED_LIBGUESTFS()                         \
  if (const auto version = library_version(); !version) { \
    GTEST_SKIP() << version.error().message();            \
  }                                                       \
  static_assert(true, "")

TEST(GuestLibrary, SaysWhatToInstall) {
  EXPECT_THAT(Library::load_from("libguestfs-that-is-not-there.so.0"),
              FailsWith(Code::io, "install it with 'apt-get install libguestfs0 libguestfs-xfs'"));
}

TEST(GuestLibrary, RefusesALibraryWithoutItsFunctions) {
  EXPECT_THAT(Library::load_from("libc.so.6"), FailsWith(Code::io, "it is too old"));
}

TEST(GuestMachine, WantsAKernelWithModules) {
  const test::TempDir dir;
  const MachineFolders folders{.kernels = dir.path(), .modules = dir / "modules"};
  dir.write("vmlinuz-1.2.3", "kernel");
  EXPECT_THAT(check_kernel(folders),
              FailsWith(Code::io, "install one with 'apt-get install linux-image-amd64'"));
  fs::create_directories(folders.modules / "1.2.3");
  EXPECT_THAT(check_kernel(folders), IsOk());
}

TEST(GuestMachine, SaysWhichKernelCannotBeRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads every file";
  const test::TempDir dir;
  const MachineFolders folders{.kernels = dir.path(), .modules = dir / "modules"};
  const fs::path kernel = dir.write("vmlinuz-1.2.3", "kernel");
  fs::permissions(kernel, fs::perms::none);
  fs::create_directories(folders.modules / "1.2.3");
  EXPECT_THAT(check_kernel(folders),
              FailsWith(Code::io, fmt::format("run 'sudo chmod 0644 {}'", kernel.string())));
}

TEST(GuestMachine, SaysThatThereIsNoEmulator) {
  IMPRINT_NEED_LIBGUESTFS();
  const test::TempDir dir;
  const ScopedVariable emulator("LIBGUESTFS_HV", "/nowhere/qemu");
  const std::array drives{Drive{dir.write("disk", std::string(4096, '\0'))}};
  EXPECT_THAT(Appliance::start(drives),
              FailsWith(Code::io,
                        "there is no emulator '/nowhere/qemu': install it with 'apt-get "
                        "install qemu-system-x86'"));
}

TEST(GuestMachine, EndsAnEmulatorThatNeverAnswers) {
  IMPRINT_NEED_LIBGUESTFS();
  const test::TempDir dir;
  const fs::path emulator =
      dir.write("emulator",
                fmt::format("#!/bin/sh\necho $$ >>{}\nexec sleep 1000\n", (dir / "pids").string()));
  fs::permissions(emulator, fs::perms::owner_all);
  const ScopedVariable variable("LIBGUESTFS_HV", emulator.string());
  const std::array drives{Drive{dir.write("disk", std::string(4096, '\0'))}};
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(Appliance::start(drives, {.timeout = std::chrono::seconds(3)}),
              FailsWith(Code::io, "the appliance did not start within 3 s and was ended"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
  std::ifstream pids(dir / "pids");
  for (pid_t pid = 0; pids >> pid;)
    EXPECT_NE(process_name(pid), "sleep") << pid;
}

TEST(GuestProcesses, KillsAChildAndItsChildrenAndNobodyElse) {
  const test::TempDir dir;
  test::Process shell({"/bin/sh", "-c", "sleep 1000 & echo $! >child; wait"}, dir / "log");
  test::Process other({"sleep", "1000"}, dir / "log2");
  std::vector<pid_t> below;
  ASSERT_TRUE(test::wait_until([&] {
    below = children_of_thread(shell.pid(), shell.pid());
    return below.size() == 1 && process_name(below.front()) == "sleep";
  }));
  // Not a child of ours, so not ours to end.
  kill_child_tree(below.front());
  EXPECT_EQ(process_name(below.front()), "sleep");
  kill_child_tree(shell.pid());
  EXPECT_EQ(shell.wait(), 128 + SIGKILL);
  EXPECT_TRUE(test::wait_until([&] { return process_name(below.front()) != "sleep"; }));
  EXPECT_TRUE(other.running());
}

TEST(GuestShell, QuotesEveryWord) {
  for (const std::string& word :
       {std::string("a b"), std::string("it's"), std::string("$(x);`y`\n\\"), std::string()}) {
    const auto result = test::run_command({"/bin/sh", "-c", "printf %s " + shell_word(word)});
    EXPECT_EQ(result.out, word);
  }
}

TEST(GuestLaunch, LabelsDrivesWithLetters) {
  EXPECT_EQ(drive_label(0), "imprintaa");
  EXPECT_EQ(drive_label(27), "imprintbb");
}

TEST(GuestEngine, KnowsWhatItIsNeededFor) {
  EXPECT_TRUE(needs_appliance("btrfs"));
  EXPECT_TRUE(needs_appliance("crypto_LUKS"));
  EXPECT_FALSE(needs_appliance("ext4"));
  EXPECT_FALSE(needs_appliance("squashfs"));
}

}  // namespace
}  // namespace imprint::guestfs
