// Signing commands that do what they should, and all the ways in which they do not.

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "folder.hpp"

namespace imprint::authority {
namespace {

using test::CaFolder;
using test::FailsWith;
using test::IsOk;
using test::now;
using test::openssl;
using Mode = CommandKey::Mode;

const std::string kExample = std::string(IMPRINT_MANIFESTS) + "/sign-with-openssl";

AuthoritySource behind(const CaFolder& folder, std::vector<std::string> command, Mode mode,
                       std::chrono::seconds timeout = std::chrono::seconds(30)) {
  AuthoritySource source = folder.files();
  source.key = CommandKey{.command = std::move(command), .mode = mode, .timeout = timeout};
  return source;
}

/// A CA folder with the command `sh script KEY`. The script can call the example as
/// `"$example" "$1"`; $dir is a folder for what it wants to remember.
struct ScriptedCa {
  explicit ScriptedCa(const std::string& script) {
    path = folder.dir().write("script", fmt::format("example='{}' dir='{}'\n{}\n", kExample,
                                                    folder.dir().path().string(), script));
  }

  [[nodiscard]] Result<Authority> open(
      Mode mode, std::chrono::seconds timeout = std::chrono::seconds(30)) const {
    return Authority::open(behind(folder, {"sh", path, folder.key()}, mode, timeout), now());
  }

  [[nodiscard]] std::string remembered(std::string_view name) const {
    return imprint::test::slurp(folder.dir() / name);
  }

  CaFolder folder;
  std::string path;
};

Result<Bytes> sign(crypto::Signer& signer) {
  return crypto::sign_message(signer, bytes_of("to be signed"));
}

struct KeyRow {
  std::string name;
  std::vector<std::string> generate;
};

class Commands : public testing::TestWithParam<std::tuple<KeyRow, Mode>> {};

TEST_P(Commands, SignAsTheCaDoes) {
  const auto& [key, mode] = GetParam();
  const CaFolder folder(CaFolder::kGoodExtensions, key.generate);
  const auto authority = Authority::open(behind(folder, {kExample, folder.key()}, mode), now());
  ASSERT_THAT(authority, IsOk());
  const auto signer = authority->signer().clone();
  ASSERT_THAT(signer, IsOk());
  for (int i = 0; i < 3; ++i) {
    const auto signature = sign(**signer);
    ASSERT_THAT(signature, IsOk());
    EXPECT_TRUE(crypto::verify_signature(authority->certificate(), (*signer)->algorithm(),
                                         bytes_of("to be signed"), *signature));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Commands,
    testing::Combine(
        testing::Values(KeyRow{"p256", CaFolder::kP256},
                        KeyRow{"p384", {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}},
                        KeyRow{"p521", {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"}},
                        KeyRow{"rsa", {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}},
                        KeyRow{"ed25519", {"-algorithm", "ED25519"}}),
        testing::Values(Mode::coprocess, Mode::call)),
    [](const auto& param_info) {
      return std::get<0>(param_info.param).name +
             (std::get<1>(param_info.param) == Mode::call ? "_call" : "_coprocess");
    });

TEST(Command, IsToldWhatTheDocumentationSays) {
  const ScriptedCa ca("tee -a $dir/seen | \"$example\" \"$1\"");
  ASSERT_THAT(ca.open(Mode::call), IsOk());
  const std::string seen = ca.remembered("seen");
  EXPECT_THAT(seen, testing::MatchesRegex(
                        "(\\{\"version\":1,\"id\":1,\"algorithm\":\"ecdsa-sha256\",\"digest\":"
                        "\"[A-Za-z0-9+/]{43}=\"\\}\n)+"));
}

TEST(Command, AsCoprocessIsOneProcessASigner) {
  const ScriptedCa ca("echo x >>$dir/started\nexec \"$example\" \"$1\"");
  const auto authority = ca.open(Mode::coprocess);
  ASSERT_THAT(authority, IsOk());
  const std::string before = ca.remembered("started");
  const auto signer = authority->signer().clone().value();
  for (int i = 0; i < 5; ++i)
    ASSERT_THAT(sign(*signer), IsOk());
  EXPECT_EQ(ca.remembered("started"), before + "x\n");
}

TEST(Command, EndsWithItsSigner) {
  const ScriptedCa ca("echo $$ >$dir/pid\n\"$example\" \"$1\"\necho ended >$dir/end");
  { ASSERT_THAT(ca.open(Mode::coprocess), IsOk()); }
  EXPECT_EQ(ca.remembered("end"), "ended\n");
  const int pid = std::stoi(ca.remembered("pid"));
  EXPECT_NE(::kill(pid, 0), 0) << "still there, or not collected";
}

TEST(Command, ThatDoesNotEndIsEnded) {
  const ScriptedCa ca(
      "echo $$ >$dir/pid\n\"$example\" \"$1\"\nsleep 1000 & echo $! >$dir/child\nwait");
  { ASSERT_THAT(ca.open(Mode::coprocess), IsOk()); }
  EXPECT_NE(::kill(std::stoi(ca.remembered("pid")), 0), 0);
  // What it has started belongs to its group and is ended too; init collects it in its own time.
  const std::string state = "/proc/" + std::to_string(std::stoi(ca.remembered("child"))) + "/stat";
  bool gone = false;
  for (int i = 0; i < 200 && !gone; ++i) {
    std::ifstream file(state);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    gone = text.empty() || text.find(") Z ") != std::string::npos;
    if (!gone) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(gone);
}

TEST(Command, InheritsNothingButItsStandardStreams) {
  constexpr int kLeak = 77;
  // NOLINTNEXTLINE(android-cloexec-dup): to be inheritable is the point
  ASSERT_EQ(::dup2(STDERR_FILENO, kLeak), kLeak);
  const ScriptedCa ca("ls /proc/$$/fd >$dir/open\n\"$example\" \"$1\"");
  const auto authority = ca.open(Mode::call);
  ::close(kLeak);
  ASSERT_THAT(authority, IsOk());
  // From 10 on, shells keep files of their own.
  EXPECT_THAT(ca.remembered("open"), testing::StartsWith("0\n1\n"));
  EXPECT_THAT(ca.remembered("open"), testing::Not(testing::ContainsRegex("(^|\n)([3-9]|77)\n")));
}

struct Misbehaviour {
  std::string name;
  std::string script;
  Mode mode;
  std::string message;
};

class BadCommand : public testing::TestWithParam<Misbehaviour> {};

TEST_P(BadCommand, IsRefusedWithItsReason) {
  const ScriptedCa ca(GetParam().script);
  const auto started = std::chrono::steady_clock::now();
  // Only who waits for the timeout wants a short one: openssl alone takes a second on a busy
  // machine.
  const bool hangs = GetParam().message.find("in time (1 s)") != std::string::npos;
  const auto opened = ca.open(GetParam().mode, std::chrono::seconds(hangs ? 1 : 60));
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(),
              testing::StartsWith("signing command 'sh': a test signature: signing with the "
                                  "command 'sh': "));
  EXPECT_THAT(opened.error().message(), testing::HasSubstr(GetParam().message));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(30));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadCommand,
    testing::Values(
        Misbehaviour{"call_exit", "exit 3", Mode::call, "it ended with exit status 3"},
        Misbehaviour{"call_exit_after_an_answer", "\"$example\" \"$1\"\nexit 7", Mode::call,
                     "it ended with exit status 7"},
        Misbehaviour{"call_signal", "kill -SEGV $$", Mode::call, "it ended with exit status 139"},
        Misbehaviour{"call_hangs", "sleep 1000", Mode::call,
                     "it did not answer in time (1 s) and was ended"},
        Misbehaviour{"call_hangs_after_its_answer",
                     "echo '{\"id\":1,\"signature\":\"AAAA\"}'; exec sleep 1000", Mode::call,
                     "it did not answer in time (1 s) and was ended"},
        Misbehaviour{"call_does_not_end",
                     "echo '{\"id\":1,\"signature\":\"AAAA\"}'; exec sleep 1000 >&-", Mode::call,
                     "it did not end in time (1 s) and was ended"},
        Misbehaviour{"call_silent", "cat >/dev/null", Mode::call, "it ended without an answer"},
        Misbehaviour{"call_partial", "printf '{\"id\":1'", Mode::call,
                     "it ended in the middle of its answer"},
        Misbehaviour{"call_two_lines", "\"$example\" \"$1\"; echo and more", Mode::call,
                     "it wrote more than one line"},
        Misbehaviour{"call_floods", "exec cat /dev/zero", Mode::call,
                     "it wrote a line of more than 16384 bytes"},
        Misbehaviour{"garbage", "echo hello; cat >/dev/null", Mode::coprocess,
                     "its answer is no JSON object; docs/signers.md has the form"},
        Misbehaviour{"array", "echo '[1]'; cat >/dev/null", Mode::coprocess,
                     "its answer is no JSON object"},
        Misbehaviour{"no_id", "read x; echo '{\"signature\":\"AAAA\"}'; read y", Mode::coprocess,
                     "its answer has no 'id'"},
        Misbehaviour{"wrong_id", "read x; echo '{\"id\":2,\"signature\":\"AAAA\"}'; read y",
                     Mode::coprocess, "its answer has the id 2 where 1 was asked"},
        Misbehaviour{"neither", "read x; echo '{\"id\":1}'; read y", Mode::coprocess,
                     "its answer has to have exactly one of 'signature' and 'error'"},
        Misbehaviour{"both", "read x; echo '{\"id\":1,\"error\":\"\",\"signature\":\"\"}'; read y",
                     Mode::coprocess, "exactly one of 'signature' and 'error'"},
        Misbehaviour{"number_for_error", "read x; echo '{\"id\":1,\"error\":5}'; read y",
                     Mode::coprocess, "its answer has an 'error' that is no text"},
        Misbehaviour{"number_for_signature", "read x; echo '{\"id\":1,\"signature\":5}'; read y",
                     Mode::coprocess, "its answer has a 'signature' that is no text"},
        Misbehaviour{"no_base64", "read x; echo '{\"id\":1,\"signature\":\"a*\"}'; read y",
                     Mode::coprocess, "its answer has a 'signature' that is not base64"},
        Misbehaviour{"not_a_signature", "read x; echo '{\"id\":1,\"signature\":\"AAAA\"}'; read y",
                     Mode::coprocess,
                     "its signature is not one by the CA certificate's key (ecdsa-sha256 was asked "
                     "for)"},
        Misbehaviour{"says_no",
                     "read x; printf '%s\\n' '{\"id\":1,\"error\":\"quota\\nused up\"}'; read y",
                     Mode::coprocess, "it refused: quota\\nused up"},
        Misbehaviour{"says_no_and_fails",
                     "read x; echo '{\"id\":1,\"error\":\"no quota\"}'; exit 1", Mode::call,
                     "it refused: no quota"},
        Misbehaviour{"dies", "read x; exit 5", Mode::coprocess,
                     "it ended without an answer (exit status 5)"},
        Misbehaviour{"does_not_read", "exec <&-; sleep 0.1; exit 6", Mode::coprocess,
                     "(exit status 6)"},
        Misbehaviour{"partial", "read x; printf '{\"id\"'; exit 0", Mode::coprocess,
                     "it ended in the middle of its answer (exit status 0)"},
        Misbehaviour{"hangs", "sleep 1000", Mode::coprocess,
                     "it did not answer in time (1 s) and was ended"},
        Misbehaviour{"floods", "exec yes xxxxxxxxxxxxxxxxxxxxxxxxxx | tr -d '\\n'", Mode::coprocess,
                     "it wrote a line of more than 16384 bytes"},
        Misbehaviour{"two_lines", "read x; printf '{}\\n{}\\n'; read y", Mode::coprocess,
                     "its answer has more than one line"}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(Command, ThatIsMissingIsNamed) {
  const CaFolder folder;
  for (const Mode mode : {Mode::call, Mode::coprocess}) {
    EXPECT_THAT(
        Authority::open(behind(folder, {"/nowhere/signer"}, mode), now()),
        FailsWith(Code::not_found, "starting '/nowhere/signer': No such file or directory"));
    EXPECT_THAT(Authority::open(behind(folder, {folder.key()}, mode), now()),
                FailsWith(Code::io, "Permission denied"));
  }
  EXPECT_THAT(Authority::open(behind(folder, {}, Mode::call), now()),
              FailsWith(Code::invalid_input, "the signing command is empty"));
}

TEST(Command, TakesNoPassphrase) {
  const CaFolder folder;
  AuthoritySource source = behind(folder, {kExample, folder.key()}, Mode::call);
  source.passphrase = PassphraseSource{PassphraseSource::Kind::env, "IMPRINT_TEST_PASSPHRASE"};
  EXPECT_THAT(Authority::open(source, now()),
              FailsWith(Code::invalid_input,
                        "/sign-with-openssl': it gets its secrets by itself; a passphrase is for a "
                        "key file or a token"));
}

TEST(Command, WithAnotherKeyIsRefused) {
  const CaFolder folder;
  const CaFolder other;
  EXPECT_THAT(
      Authority::open(behind(folder, {kExample, other.key()}, Mode::coprocess), now()),
      FailsWith(
          Code::crypto,
          "its signature is not one by the CA certificate's key (ecdsa-sha256 was asked for); "
          "let it sign with that key, and the digest as it is"));
}

/// Signs twice after opening (the test signature, then the test certificate's, a process each),
/// and then fails the third process's second request.
TEST(Command, ThatDiesInABatchFailsOneSignatureAndIsStartedAgain) {
  const ScriptedCa ca(
      "echo x >>$dir/started\n"
      "read line; echo \"$line\" | \"$example\" \"$1\"\n"
      "[ -e $dir/die ] && rm $dir/die && exit 9\n"
      "exec \"$example\" \"$1\"");
  const auto authority = ca.open(Mode::coprocess);
  ASSERT_THAT(authority, IsOk());
  const auto signer = authority->signer().clone().value();
  const std::string before = ca.remembered("started");
  ca.folder.dir().write("die", "");
  ASSERT_THAT(sign(*signer), IsOk());
  EXPECT_THAT(sign(*signer), FailsWith(Code::io, "(exit status 9)"));
  EXPECT_THAT(sign(*signer), IsOk());
  EXPECT_EQ(ca.remembered("started"), before + "x\nx\n");
}

TEST(Command, ThatFailsThreeTimesInARowIsNotAskedAgain) {
  const ScriptedCa ca(
      "[ -e $dir/broken ] && { echo x >>$dir/tried; exit 1; }\nexec \"$example\" \"$1\"");
  const auto authority = ca.open(Mode::coprocess);
  ASSERT_THAT(authority, IsOk());
  const auto signer = authority->signer().clone().value();
  ca.folder.dir().write("broken", "");
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(sign(*signer), FailsWith(Code::io, "(exit status 1)"));
  EXPECT_THAT(sign(*signer),
              FailsWith(Code::crypto, "it has failed 3 times in a row and is not asked again"));
  EXPECT_EQ(ca.remembered("tried"), "x\nx\nx\n");
}

TEST(Command, ThatRefusesIsAskedForTheNextDevice) {
  const ScriptedCa ca("[ -e $dir/broken ] && exit 1\nexec \"$example\" \"$1\"");
  const auto authority = ca.open(Mode::call);
  ASSERT_THAT(authority, IsOk());
  const auto signer = authority->signer().clone().value();
  ca.folder.dir().write("broken", "");
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(sign(*signer), FailsWith(Code::crypto, "it ended with exit status 1"));
  std::filesystem::remove(ca.folder.dir() / "broken");
  EXPECT_THAT(sign(*signer), IsOk());
}

TEST(Command, ServesSeveralThreads) {
  const ScriptedCa ca("exec \"$example\" \"$1\"");
  const auto authority = ca.open(Mode::coprocess);
  ASSERT_THAT(authority, IsOk());
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, signer = authority->signer().clone().value()] {
        for (int i = 0; i < 5; ++i)
          good += sign(*signer).has_value() ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(good, 20);
}

}  // namespace
}  // namespace imprint::authority
