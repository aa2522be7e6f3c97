// What the process and the files around it give away: nothing to another process of the same user,
// nothing in a core file, nothing in the environment, no key in any file but the image.

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/base/bytes.hpp"
#include "imprint/base/text.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::Process;
using imprint::test::wait_until;
using testing::HasSubstr;
using testing::Not;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;  // LeakSanitizer has to attach to its own process
#else
constexpr bool kSanitized = false;
#endif

constexpr const char* kNotLocked =
    "imprint: warning: no locked memory for private keys: they could reach swap (see ulimit -l)\n";

/// The command as a user without privileges: root sees everything.
std::vector<std::string> unprivileged(std::vector<std::string> command) {
  if (::geteuid() == 0) {
    command.insert(command.begin(),
                   {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"});
  }
  return command;
}

/// A batch that has loaded its CA key and waits for somebody to read its events.
class WaitingBatch : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_IMAGES();
    if (::geteuid() == 0) IMPRINT_NEED_COMMAND("setpriv");
    folder_.emplace(Variant::empty_b, 1);
  }

  void start() {
    ASSERT_EQ(::mkfifo("events", 0600), 0);
    if (::geteuid() == 0) {
      for (const auto& entry : fs::recursive_directory_iterator("."))
        ASSERT_EQ(::lchown(entry.path().c_str(), 65534, 65534), 0);
      ASSERT_EQ(::chown(folder_->path().c_str(), 65534, 65534), 0);
    }
    fs::permissions(folder_->path(), fs::perms::all);
    batch_.emplace(unprivileged({binary(), "batch", "manifest.json", "--events", "events"}), "log");
  }

  [[nodiscard]] std::string proc(std::string_view file) const {
    return fmt::format("/proc/{}/{}", batch_->pid(), file);
  }

  std::optional<BatchFolder> folder_;
  std::optional<Process> batch_;
};

/// A fifo that is opened for writing and waits shows in the kernel's name of the wait.
bool waits(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::string line;
  bool handles_interrupt = false;
  while (std::getline(status, line)) {
    if (!line.starts_with("SigCgt:")) continue;
    handles_interrupt = (std::stoull(line.substr(7), nullptr, 16) >> (SIGINT - 1) & 1) != 0;
  }
  return handles_interrupt;
}

TEST_F(WaitingBatch, CannotBeReadByAnotherProcessOfItsUser) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer build stays readable for its leak check";
  start();
  ASSERT_TRUE(wait_until([&] { return waits(batch_->pid()) || !batch_->running(); }));
  ASSERT_TRUE(batch_->running()) << slurp("log");
  for (const char* file : {"maps", "environ"}) {
    const auto read = run_command(unprivileged({"cat", proc(file)}));
    EXPECT_NE(read.status, 0) << file;
    EXPECT_THAT(read.err, HasSubstr("Permission denied")) << file;
  }
  EXPECT_NE(run_command(unprivileged({"dd", "if=" + proc("mem"), "count=0"})).status, 0);
  // The control: of a program that does not care they can be read.
  const Process careless(unprivileged({"sleep", "60"}), "sleep.log");
  const std::string maps = fmt::format("/proc/{}/maps", careless.pid());
  EXPECT_TRUE(wait_until([&] { return run_command(unprivileged({"cat", maps})).status == 0; }));
}

TEST_F(WaitingBatch, LeavesNoCoreAndMakesPrivateFiles) {
  start();
  ASSERT_TRUE(wait_until([&] { return waits(batch_->pid()) || !batch_->running(); }));
  EXPECT_THAT(slurp(proc("limits")), testing::ContainsRegex("Max core file size +0 +0 +bytes"));
  EXPECT_THAT(slurp(proc("status")), HasSubstr("Umask:\t0077"));
}

TEST_F(WaitingBatch, HasThePassphraseNoLongerInItsEnvironment) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to read the environment of the process";
  ::setenv("IMPRINT_TEST_PASSPHRASE", "correct-horse-battery", 1);
  fs::remove_all("ca");
  const auto made = imprint({"ca", "init", "ca", "--passphrase", "env:IMPRINT_TEST_PASSPHRASE"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(std::getenv("IMPRINT_TEST_PASSPHRASE"), nullptr) << "read once";
  folder_->manifest["authority"]["passphrase"] = "env:IMPRINT_TEST_PASSPHRASE";
  folder_->save();
  ::setenv("IMPRINT_TEST_PASSPHRASE", "correct-horse-battery", 1);
  start();
  ::unsetenv("IMPRINT_TEST_PASSPHRASE");
  const auto environment = [&] { return slurp(proc("environ")); };
  ASSERT_TRUE(wait_until([&] {
    return environment().find("IMPRINT_TEST_PASSPHRASE=") != std::string::npos;
  })) << "the control";
  EXPECT_TRUE(wait_until([&] {
    return environment().find("correct-horse-battery") == std::string::npos || !batch_->running();
  }));
  EXPECT_TRUE(batch_->running()) << slurp("log");
}

TEST(Protect, WorksWithoutLockedMemoryAndSaysSo) {
  IMPRINT_NEED_COMMAND("prlimit");
  if (::geteuid() == 0) IMPRINT_NEED_COMMAND("setpriv");
  const imprint::test::TempDir dir;
  fs::permissions(dir.path(), fs::perms::all);
  std::vector<std::string> command = {"prlimit", "--memlock=0:0"};
  const auto program = unprivileged({binary(), "ca", "init", dir / "ca"});
  command.insert(command.end(), program.begin(), program.end());
  const auto made = run_command(command);
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr(kNotLocked));
}

TEST(Protect, NoFileOutsideTheOutputIsOpenedForWriting) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("strace");
  const BatchFolder folder(Variant::empty_b, 3);
  const auto traced = run_command({"strace", "-f", "-e", "trace=open,openat,creat", "-o", "trace",
                                   binary(), "batch", "manifest.json"});
  if (traced.status != 0 && traced.err.find("ptrace") != std::string::npos)
    GTEST_SKIP() << "needs to be allowed to trace";
  ASSERT_EQ(traced.status, 0) << traced.err;
  // Without privileges not even strace can look into the program: it shows addresses.
  if (slurp("trace").find("AT_FDCWD, 0x") != std::string::npos)
    GTEST_SKIP() << "needs root, to see the names of files";
  std::ifstream trace("trace");
  int written = 0;
  for (std::string line; std::getline(trace, line);) {
    if (line.find("O_WRONLY") == std::string::npos && line.find("O_RDWR") == std::string::npos)
      continue;
    // Without a name, and before any key is made: can the file system share blocks?
    if (line.find("O_TMPFILE") != std::string::npos) continue;
    const std::size_t begin = line.find('"') + 1;
    const std::string path = line.substr(begin, line.find('"', begin) - begin);
    const std::string below = fs::absolute("out").string() + "/";
    EXPECT_TRUE(path.starts_with("out/") || path.starts_with(below)) << line;
    ++written;
  }
  EXPECT_GT(written, 3) << "the trace shows the writes";
}

TEST(Protect, NoOutputButTheImageHoldsAnythingOfAKey) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::empty_b, 1);
  const auto made = run_command({binary(), "batch", "manifest.json", "--events", "-", "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  folder.write("stdout", made.out);
  folder.write("stderr", made.err);
  // Base64 of the first 12 bytes of the scalar, and its hexadecimal digits.
  const std::string pem =
      ImageOracle("out/unit-1.sdimg").cat(kData, "/mender/mender-cert-private.pem");
  const std::string base64 = pem.substr(pem.find('\n') + 1 + 48, 16);
  const auto der = run_command({"openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER"}, pem);
  ASSERT_GE(der.out.size(), 68U);
  const std::string hex = to_hex(bytes_of(std::string_view(der.out).substr(36, 32)));
  EXPECT_EQ(run_command({"grep", "-rlaFi", "-e", base64, "-e", hex, "."}).out,
            "./out/unit-1.sdimg\n")
      << "nor ledger, list, report, block map, golden image, stdout, stderr";
}

}  // namespace
}  // namespace imprint::cli::test
