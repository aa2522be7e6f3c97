#include "imprint/authority/passphrase.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "folder.hpp"

namespace imprint::authority {
namespace {

using test::FailsWith;
using test::IsOk;
using test::TempDir;
using Kind = PassphraseSource::Kind;

std::string text(const Result<crypto::SecretBytes>& secret) {
  return secret ? std::string(text_of(secret->view())) : "failed: " + secret.error().message();
}

Result<crypto::SecretBytes> read(std::string_view source) {
  return read_passphrase(parse_passphrase_source(source).value());
}

std::string private_file(const TempDir& dir, std::string_view content) {
  const auto path = dir.write("passphrase", content);
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return path;
}

TEST(PassphraseSource, IsParsed) {
  const auto expect = [](std::string_view given, Kind kind, std::string_view argument) {
    const auto source = parse_passphrase_source(given);
    ASSERT_THAT(source, IsOk()) << given;
    EXPECT_EQ(source->kind, kind);
    EXPECT_EQ(source->argument, argument);
  };
  expect("env:CA_PASSPHRASE", Kind::env, "CA_PASSPHRASE");
  expect("file:/a:b", Kind::file, "/a:b");
  expect("fd:3", Kind::fd, "3");
  expect("credential:ca", Kind::credential, "ca");
  expect("prompt", Kind::prompt, "");
}

TEST(PassphraseSource, IsNotRepeatedWhenItIsNone) {
  for (const std::string_view given : {"hunter2", "pass:hunter2", "fd:hunter2", "fd:-1",
                                       "credential:../hunter2", "env:", "prompt:hunter2", ""}) {
    const auto source = parse_passphrase_source(given);
    EXPECT_THAT(
        source,
        FailsWith(Code::invalid_input,
                  "a passphrase source is env:NAME, file:PATH, fd:N, credential:NAME or prompt"))
        << given;
    EXPECT_EQ(source.error().message().find("hunter2"), std::string::npos);
  }
}

TEST(Passphrase, ComesFromTheEnvironment) {
  test::set_environment("IMPRINT_TEST_PASSPHRASE", "pass phrase");
  EXPECT_EQ(text(read("env:IMPRINT_TEST_PASSPHRASE")), "pass phrase");
  EXPECT_THAT(read("env:IMPRINT_TEST_PASSPHRASE"), FailsWith(Code::invalid_input, "is not set"))
      << "it is read once";
  test::set_environment("IMPRINT_TEST_PASSPHRASE", "pass phrase");
  // The memory stays ours to look at: the environment's strings are never given back.
  const char* const value = std::getenv("IMPRINT_TEST_PASSPHRASE");
  EXPECT_EQ(text(read("env:IMPRINT_TEST_PASSPHRASE")), "pass phrase");
  EXPECT_EQ(std::string_view(value, 11), std::string_view("\0\0\0\0\0\0\0\0\0\0\0", 11));
  test::set_environment("IMPRINT_TEST_PASSPHRASE", "");
  EXPECT_THAT(read("env:IMPRINT_TEST_PASSPHRASE"),
              FailsWith(Code::invalid_input, "from 'env:IMPRINT_TEST_PASSPHRASE': it is empty"));
  test::set_environment("IMPRINT_TEST_PASSPHRASE", nullptr);
  EXPECT_THAT(read("env:IMPRINT_TEST_PASSPHRASE"),
              FailsWith(Code::invalid_input, "'IMPRINT_TEST_PASSPHRASE' is not set; export it"));
}

TEST(Passphrase, ComesFromAFileLessOneLineEnd) {
  const TempDir dir;
  const auto from_file = [&](std::string_view content) {
    return text(read("file:" + private_file(dir, content)));
  };
  EXPECT_EQ(from_file("secret"), "secret");
  EXPECT_EQ(from_file("secret\n"), "secret");
  EXPECT_EQ(from_file("secret\r\n"), "secret");
  EXPECT_EQ(from_file("secret\n\n"), "secret\n");
  EXPECT_EQ(from_file(" secret "), " secret ");
}

TEST(Passphrase, RefusesABadFile) {
  const TempDir dir;
  const auto from_file = [&](std::string_view content) {
    return read("file:" + private_file(dir, content));
  };
  EXPECT_THAT(from_file(""), FailsWith(Code::invalid_input, "it is empty"));
  EXPECT_THAT(from_file("\n"), FailsWith(Code::invalid_input, "it is empty"));
  EXPECT_THAT(from_file(std::string("a\0b", 3)),
              FailsWith(Code::invalid_input, "it holds a NUL byte"));
  EXPECT_THAT(from_file(std::string(1025, 'x')),
              FailsWith(Code::invalid_input, "has 1025 bytes, more than the 1024"));
  EXPECT_THAT(from_file(std::string(std::size_t{1} << 20, 'x')),
              FailsWith(Code::invalid_input, "has 1048576 bytes, more than the 1024"));
  EXPECT_THAT(read("file:" + (dir / "absent").string()), FailsWith(Code::not_found, "absent"));
  EXPECT_THAT(read("file:" + dir.path().string()),
              FailsWith(Code::invalid_input, "reading the passphrase from"));
}

TEST(Passphrase, RefusesAFileThatOthersCanRead) {
  const TempDir dir;
  const std::string path = private_file(dir, "secret");
  for (const auto perm :
       {std::filesystem::perms::group_read, std::filesystem::perms::others_read}) {
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | perm);
    EXPECT_THAT(read("file:" + path),
                FailsWith(Code::invalid_input, "can be read by others; run chmod 600 on it"));
  }
}

TEST(Passphrase, ComesFromADescriptor) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(::write(ends[1], "from a pipe\n", 12), 12);
  ::close(ends[1]);
  EXPECT_EQ(text(read("fd:" + std::to_string(ends[0]))), "from a pipe");
  ::close(ends[0]);
  EXPECT_THAT(read("fd:" + std::to_string(ends[0])),
              FailsWith(Code::io, "reading the passphrase from 'fd:"));
}

TEST(Passphrase, RefusesAnEndlessDescriptor) {
  const int zero = ::open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(zero, 0);
  EXPECT_THAT(read("fd:" + std::to_string(zero)),
              FailsWith(Code::invalid_input, "it has more than 1024 bytes"));
  ::close(zero);
}

TEST(Passphrase, ComesFromASystemdCredential) {
  const TempDir dir;
  private_file(dir, "credential\n");
  test::set_environment("CREDENTIALS_DIRECTORY", nullptr);
  EXPECT_THAT(read("credential:passphrase"),
              FailsWith(Code::invalid_input, "$CREDENTIALS_DIRECTORY is not set"));
  test::set_environment("CREDENTIALS_DIRECTORY", dir.path().c_str());
  EXPECT_EQ(text(read("credential:passphrase")), "credential");
  EXPECT_THAT(read("credential:absent"), FailsWith(Code::not_found, "absent"));
  test::set_environment("CREDENTIALS_DIRECTORY", nullptr);
}

TEST(Passphrase, SaysWhenThereIsNoTerminalToAskOn) {
  // A session of its own has no controlling terminal.
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    const auto secret = read("prompt");
    ::_exit(!secret &&
                    secret.error().what.find("there is no terminal to ask on") != std::string::npos
                ? 0
                : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Passphrase, IsAskedOnTheTerminalWithoutEcho) {
  // The child gets a terminal of its own; what it echoes and how it leaves it is seen on the other
  // side.
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(master, 0);
  ASSERT_EQ(::grantpt(master), 0);
  ASSERT_EQ(::unlockpt(master), 0);
  const std::string terminal = ::ptsname(master);  // NOLINT(concurrency-mt-unsafe)
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    const int tty =
        ::open(terminal.c_str(),
               O_RDWR);  // NOLINT(android-cloexec-open): becomes the controlling terminal
    const auto secret = read("prompt");
    termios after{};
    ::tcgetattr(tty, &after);
    ::_exit(text(secret) == "typed" && (after.c_lflag & ECHO) != 0 ? 0 : 1);
  }
  std::string shown;
  std::array<char, 200> buffer{};
  // Typed only after the question: switching the echo off flushes what came before.
  while (shown.find(": ") == std::string::npos) {
    const ssize_t got = ::read(master, buffer.data(), buffer.size());
    ASSERT_GT(got, 0);
    shown.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ASSERT_EQ(::write(master, "typed\n", 6), 6);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  while (true) {
    const ssize_t got = ::read(master, buffer.data(), buffer.size());
    if (got <= 0) break;
    shown.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(master);
  EXPECT_EQ(shown, "Passphrase of the CA key: \r\n");
}

TEST(Passphrase, OneThatIsNewIsAskedForTwice) {
  for (const bool same : {true, false}) {
    int master = -1;
    const pid_t child = ::forkpty(&master, nullptr, nullptr, nullptr);
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto secret = read_passphrase({PassphraseSource::Kind::prompt, {}},
                                          {.what = "Passphrase for the new CA key", .twice = true});
      const bool refused = !secret && secret.error().message() ==
                                          "reading the passphrase from the terminal: the two are "
                                          "not the same; run the command again";
      ::_exit(same ? (secret && text_of(secret->view()) == "typed" ? 0 : 1) : (refused ? 0 : 2));
    }
    std::string shown;
    std::array<char, 200> buffer{};
    const auto read_until = [&](const std::string& text) {
      while (shown.find(text) == std::string::npos) {
        const ssize_t got = ::read(master, buffer.data(), buffer.size());
        if (got <= 0) break;
        shown.append(buffer.data(), static_cast<std::size_t>(got));
      }
    };
    read_until("Passphrase for the new CA key: ");
    ASSERT_EQ(::write(master, "typed\n", 6), 6);
    read_until("Passphrase for the new CA key again: ");
    ASSERT_EQ(::write(master, same ? "typed\n" : "typos\n", 6), 6);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << shown;
    ::close(master);
  }
}

// A terminal that shows nothing any more looks broken to whoever has pressed Ctrl-C.
TEST(Passphrase, AnInterruptedQuestionLeavesTheEchoOn) {
  int master = -1;
  const pid_t child = ::forkpty(&master, nullptr, nullptr, nullptr);
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto ignored = read("prompt");
    ::_exit(ignored ? 1 : 2);
  }
  std::string shown;
  std::array<char, 200> buffer{};
  while (shown.find(": ") == std::string::npos) {
    const ssize_t got = ::read(master, buffer.data(), buffer.size());
    ASSERT_GT(got, 0);
    shown.append(buffer.data(), static_cast<std::size_t>(got));
  }
  termios during{};
  ASSERT_EQ(::tcgetattr(master, &during), 0);
  EXPECT_EQ(during.c_lflag & ECHO, 0U);
  ASSERT_EQ(::write(master, "\x03", 1), 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
  termios after{};
  ASSERT_EQ(::tcgetattr(master, &after), 0);
  EXPECT_NE(after.c_lflag & ECHO, 0U);
  ::close(master);
}

}  // namespace
}  // namespace imprint::authority
