// Signing commands as people write them, and as they go wrong. The commands are shell scripts; what
// they sign is judged by openssl.

#include "command_signer.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

#include "folder.hpp"
#include "imprint/base/base64.hpp"
#include "support/process.hpp"

namespace imprint::authority {
namespace {

using test::CaFolder;
using test::FailsWith;
using test::IsOk;
using test::now;
using test::openssl;
using test::TempDir;
using Mode = CommandKey::Mode;

constexpr std::string_view kMessage = "to be signed";

CommandKey example_command(const CaFolder& ca, Mode mode) {
  return {.command = {IMPRINT_MANIFESTS "/sign-with-openssl", ca.key()}, .mode = mode};
}

/// A script that runs as a signing command.
class Script {
 public:
  explicit Script(const std::string& body)
      : path_(dir_.write("sign", "#!/bin/sh\ndir='" + dir_.path().string() + "'\n" + body)) {
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  }

  [[nodiscard]] CommandKey key(Mode mode, std::chrono::seconds timeout = std::chrono::seconds(20),
                               const std::vector<std::string>& arguments = {}) const {
    CommandKey key{.command = {path_.string()}, .mode = mode, .timeout = timeout};
    key.command.insert(key.command.end(), arguments.begin(), arguments.end());
    return key;
  }

  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return dir_ / name; }

  [[nodiscard]] std::string read(std::string_view name) const {
    return imprint::test::slurp(dir_ / name);
  }

 private:
  TempDir dir_;
  std::filesystem::path path_;
};

const CaFolder& p256_ca() {
  static const CaFolder ca;
  return ca;
}

crypto::Certificate certificate_of(const CaFolder& ca) {
  return crypto::Certificate::parse(bytes_of(imprint::test::slurp(ca.certificate()))).value();
}

std::unique_ptr<crypto::Signer> signer(const CommandKey& key, const CaFolder& ca = p256_ca()) {
  return make_command_signer(key, certificate_of(ca)).value();
}

/// One signature by a command that goes wrong.
Result<Bytes> sign_by(const Script& script, Mode mode,
                      std::chrono::seconds timeout = std::chrono::seconds(20)) {
  return crypto::sign_message(*signer(script.key(mode, timeout)), bytes_of(kMessage));
}

AuthoritySource source_of(const CaFolder& ca, const CommandKey& key) {
  return {.certificate = ca.certificate(), .key = key, .passphrase = std::nullopt};
}

/// A line of a script: answers $id with the signature of $digest by the CA's key.
std::string answer_line(const CaFolder& ca) {
  return "echo \"$line\" | '" IMPRINT_MANIFESTS "/sign-with-openssl' '" + ca.key().string() + "'\n";
}

struct KindRow {
  const char* name;
  std::vector<std::string> generate;
  Mode mode;
};

class Commands : public testing::TestWithParam<KindRow> {};

TEST_P(Commands, SignWhatOpensslVerifies) {
  IMPRINT_NEED_COMMAND("jq");
  const CaFolder ca(CaFolder::kGoodExtensions, GetParam().generate);
  const auto signs = signer(example_command(ca, GetParam().mode), ca);
  for (const std::string_view message : {"one", "another", "and one more"}) {
    const auto signature = crypto::sign_message(*signs, bytes_of(message));
    ASSERT_THAT(signature, IsOk());
    const auto file = ca.dir().write("message", message);
    const auto made = ca.dir().write("signature", text_of(*signature));
    const std::string key =
        ca.dir().write("public", openssl({"x509", "-in", ca.certificate(), "-noout", "-pubkey"}));
    std::vector<std::string> verify = {"pkeyutl", "-verify",  "-rawin", "-pubin", "-inkey",
                                       key,       "-sigfile", made,     "-in",    file};
    if (const auto hash = crypto::hash_of(signs->algorithm())) {
      verify.insert(verify.end(), {"-digest", std::string(crypto::name(*hash))});
    }
    EXPECT_NE(openssl(verify).find("Signature Verified Successfully"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Commands,
    testing::Values(
        KindRow{"p256", {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, Mode::call},
        KindRow{
            "p384", {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, Mode::coprocess},
        KindRow{
            "p521", {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"}, Mode::coprocess},
        KindRow{"rsa", {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, Mode::coprocess},
        KindRow{"ed25519", {"-algorithm", "ed25519"}, Mode::coprocess}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CommandSigner, OpensAsAnAuthority) {
  IMPRINT_NEED_COMMAND("jq");
  for (const Mode mode : {Mode::coprocess, Mode::call}) {
    const auto authority =
        Authority::open(source_of(p256_ca(), example_command(p256_ca(), mode)), now());
    ASSERT_THAT(authority, IsOk());
    EXPECT_THAT(authority->warnings(), testing::IsEmpty());
  }
}

TEST(CommandSigner, RefusesTheKeyOfAnotherCaWhenItOpens) {
  IMPRINT_NEED_COMMAND("jq");
  const CaFolder other;
  EXPECT_THAT(Authority::open(source_of(p256_ca(), example_command(other, Mode::call)), now()),
              FailsWith(Code::crypto,
                        "/sign-with-openssl': a test signature: signing with the "
                        "command '"));
  EXPECT_THAT(Authority::open(source_of(p256_ca(), example_command(other, Mode::call)), now()),
              FailsWith(Code::crypto,
                        "its signature is not one by the CA certificate's key (ecdsa-sha256 was "
                        "asked for); let it sign with that key, and the digest as it is"));
}

TEST(CommandSigner, RefusesAnEmptyCommand) {
  EXPECT_THAT(make_command_signer({}, certificate_of(p256_ca())),
              FailsWith(Code::invalid_input, "the signing command is empty"));
}

TEST(CommandSigner, SaysWhichProgramIsMissing) {
  for (const Mode mode : {Mode::coprocess, Mode::call}) {
    const CommandKey key{.command = {"/nonexistent/sign"}, .mode = mode};
    EXPECT_THAT(crypto::sign_message(*signer(key), bytes_of(kMessage)),
                FailsWith(Code::not_found,
                          "signing with the command '/nonexistent/sign': starting "
                          "'/nonexistent/sign': No such file or directory"));
  }
}

TEST(CommandSigner, SendsOneRequestALine) {
  const Script script("head -n 1 > \"$dir/request\"\n");
  EXPECT_THAT(sign_by(script, Mode::call), FailsWith(Code::crypto, "it ended without an answer"));
  crypto::Hash hash(crypto::HashAlgorithm::sha256);
  hash.update(bytes_of(kMessage));
  EXPECT_EQ(script.read("request"), R"({"version":1,"id":1,"algorithm":"ecdsa-sha256","digest":")" +
                                        to_base64(hash.finish()) + "\"}\n");
}

TEST(CommandSigner, SendsTheMessageWhereThereIsNoDigest) {
  const CaFolder ca(CaFolder::kGoodExtensions, {"-algorithm", "ed25519"});
  const Script script("cat > \"$dir/request\"\n");
  EXPECT_THAT(crypto::sign_message(*signer(script.key(Mode::call), ca), bytes_of(kMessage)),
              FailsWith(Code::crypto, "it ended without an answer"));
  EXPECT_EQ(script.read("request"), R"({"version":1,"id":1,"algorithm":"ed25519","message":")" +
                                        to_base64(bytes_of(kMessage)) + "\"}\n");
}

TEST(CommandSigner, PassesArgumentsAsTheyAre) {
  const Script script("printf '%s|' \"$@\" > \"$dir/arguments\"\n");
  const CommandKey key =
      script.key(Mode::call, std::chrono::seconds(20), {"a b", "$HOME", "", "*"});
  EXPECT_FALSE(crypto::sign_message(*signer(key), bytes_of(kMessage)).has_value());
  EXPECT_EQ(script.read("arguments"), "a b|$HOME||*|");
}

TEST(CommandSigner, GivesNoDescriptorButTheStandardOnes) {
  const Script script("ls /proc/self/fd > \"$dir/descriptors\"\n");
  const TempDir dir;
  // One that is inheritable: no O_CLOEXEC.
  const int open_here = ::open(dir.write("secret", "x").c_str(), O_RDONLY);  // NOLINT
  EXPECT_FALSE(sign_by(script, Mode::call).has_value());
  ::close(open_here);
  // 3 is the folder that ls reads.
  EXPECT_EQ(script.read("descriptors"), "0\n1\n2\n3\n");
}

struct WrongRow {
  const char* name;
  const char* script;
  const char* message;
};

class WrongAnswers : public testing::TestWithParam<WrongRow> {};

TEST_P(WrongAnswers, AreRefusedInBothModes) {
  const Script script(GetParam().script);
  for (const Mode mode : {Mode::coprocess, Mode::call})
    EXPECT_THAT(sign_by(script, mode), FailsWith(Code::crypto, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, WrongAnswers,
    testing::Values(
        WrongRow{"Garbage", "read line; echo hello",
                 "its answer is no JSON object; docs/signers.md has the form"},
        WrongRow{"Binary", "read line; printf '\\000\\377\\n'", "its answer is no JSON object"},
        WrongRow{"Array", "read line; echo '[]'", "its answer is no JSON object"},
        WrongRow{"EmptyLine", "read line; echo", "its answer is no JSON object"},
        WrongRow{"NoId", "read line; echo '{\"signature\":\"\"}'", "its answer has no 'id'"},
        WrongRow{"WrongId", "read line; echo '{\"id\":7,\"signature\":\"AAAA\"}'",
                 "its answer has the id 7 where 1 was asked"},
        WrongRow{"Neither", "read line; echo '{\"id\":1}'",
                 "has to have exactly one of 'signature' and 'error'"},
        WrongRow{"Both", "read line; echo '{\"id\":1,\"error\":\"x\",\"signature\":\"\"}'",
                 "has to have exactly one of 'signature' and 'error'"},
        WrongRow{"ErrorNoText", "read line; echo '{\"id\":1,\"error\":5}'",
                 "has an 'error' that is no text"},
        WrongRow{"SignatureNoText", "read line; echo '{\"id\":1,\"signature\":[1]}'",
                 "has a 'signature' that is no text"},
        WrongRow{"NotBase64", "read line; echo '{\"id\":1,\"signature\":\"@@@@\"}'",
                 "has a 'signature' that is not base64"},
        WrongRow{"NotASignature", "read line; echo '{\"id\":1,\"signature\":\"AAAA\"}'",
                 "its signature is not one by the CA certificate's key"},
        WrongRow{"LongLine", "read line; head -c 20000 /dev/zero | tr '\\0' x; sleep 5",
                 "it wrote a line of more than 16384 bytes"},
        WrongRow{"NoEndOfLines", "exec yes '{\"id\":1,\"error\":\"x\"}'", "more than one line"},
        WrongRow{"Refusal", "read line; echo '{\"id\":1,\"error\":\"quota used up\"}'",
                 "it refused: quota used up"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CommandSigner, SaysHowTheProgramEnded) {
  const Script fails("read line; echo reasons >&2; exit 7");
  EXPECT_THAT(sign_by(fails, Mode::call), FailsWith(Code::crypto, "it ended with exit status 7"));
  EXPECT_THAT(sign_by(fails, Mode::coprocess),
              FailsWith(Code::io, "it ended without an answer (exit status 7)"));
  const Script dies("read line; kill -SEGV $$");
  EXPECT_THAT(sign_by(dies, Mode::call), FailsWith(Code::crypto, "it ended with exit status 139"));
  EXPECT_THAT(sign_by(dies, Mode::coprocess),
              FailsWith(Code::io, "it ended without an answer (exit status 139)"));
}

TEST(CommandSigner, DoesNotBelieveAnAnswerOfAProgramThatFails) {
  IMPRINT_NEED_COMMAND("jq");
  const Script script("read -r line\n" + answer_line(p256_ca()) + "exit 1\n");
  EXPECT_THAT(sign_by(script, Mode::call), FailsWith(Code::crypto, "it ended with exit status 1"));
  const Script refuses("read line; echo '{\"id\":1,\"error\":\"locked\"}'; exit 1");
  EXPECT_THAT(sign_by(refuses, Mode::call), FailsWith(Code::crypto, "it refused: locked"));
}

TEST(CommandSigner, TellsAPartOfALineFromAnAnswer) {
  const Script script("read line; printf '{\"id\":1,\"error\":\"x\"}'");
  EXPECT_THAT(sign_by(script, Mode::coprocess),
              FailsWith(Code::io, "it ended in the middle of its answer (exit status 0)"));
  EXPECT_THAT(sign_by(script, Mode::call),
              FailsWith(Code::crypto, "it ended in the middle of its answer"));
}

TEST(CommandSigner, EndsAProgramThatHangs) {
  for (const Mode mode : {Mode::coprocess, Mode::call}) {
    // The sleep is a child of the command: both have to go, and with them the lock.
    const Script script("exec 3> \"$dir/lock\"; flock 3; sleep 60");
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THAT(sign_by(script, mode, std::chrono::seconds(1)),
                FailsWith(Code::crypto, "it did not answer in time (1 s) and was ended"));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    const int lock = ::open((script / "lock").c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_TRUE(imprint::test::wait_until([lock] { return ::flock(lock, LOCK_EX | LOCK_NB) == 0; },
                                          std::chrono::seconds(10)));
    ::close(lock);
  }
}

TEST(CommandSigner, DoesNotDieOfAProgramThatReadsNothing) {
  const Script script("exec <&-; sleep 0.2; exit 3");
  const auto signs = signer(script.key(Mode::coprocess));
  EXPECT_THAT(crypto::sign_message(*signs, bytes_of(kMessage)),
              FailsWith(Code::io, "(exit status 3)"));
  EXPECT_THAT(sign_by(script, Mode::call), FailsWith(Code::crypto, "it ended with exit status 3"));
}

TEST(CommandSigner, UsesOneCoprocessForAllSignatures) {
  IMPRINT_NEED_COMMAND("jq");
  const Script script("echo started >> \"$dir/log\"\nwhile read -r line; do\n" +
                      answer_line(p256_ca()) + "done\necho ended >> \"$dir/log\"\n");
  {
    const auto signs = signer(script.key(Mode::coprocess));
    for (int i = 0; i < 4; ++i)
      EXPECT_THAT(crypto::sign_message(*signs, bytes_of(kMessage)), IsOk());
    const auto twin = signs->clone();
    ASSERT_THAT(twin, IsOk());
    EXPECT_THAT(crypto::sign_message(**twin, bytes_of(kMessage)), IsOk());
  }
  EXPECT_EQ(script.read("log"), "started\nstarted\nended\nended\n");
}

TEST(CommandSigner, StartsADeadCoprocessAnewForTheNextSignature) {
  IMPRINT_NEED_COMMAND("jq");
  // Signs twice and dies: the third signature of each life fails.
  const Script script("echo started >> \"$dir/log\"\nfor n in 1 2; do read -r line\n" +
                      answer_line(p256_ca()) + "done\nread -r line\nkill -KILL $$\n");
  const auto signs = signer(script.key(Mode::coprocess));
  for (int life = 0; life < 4; ++life) {
    EXPECT_THAT(crypto::sign_message(*signs, bytes_of(kMessage)), IsOk());
    EXPECT_THAT(crypto::sign_message(*signs, bytes_of(kMessage)), IsOk());
    EXPECT_THAT(crypto::sign_message(*signs, bytes_of(kMessage)),
                FailsWith(Code::io, "it ended without an answer (exit status 137)"));
  }
  EXPECT_EQ(script.read("log"), "started\nstarted\nstarted\nstarted\n");
}

TEST(CommandSigner, GivesUpOnAProgramThatNeverAnswers) {
  const Script script("echo asked >> \"$dir/log\"; read line; echo nonsense");
  for (const Mode mode : {Mode::coprocess, Mode::call}) {
    const auto signs = signer(script.key(mode));
    for (int i = 0; i < 3; ++i)
      EXPECT_THAT(crypto::sign_message(*signs, bytes_of(kMessage)),
                  FailsWith(Code::crypto, "its answer is no JSON object"));
    EXPECT_THAT(crypto::sign_message(*signs, bytes_of(kMessage)),
                FailsWith(Code::crypto,
                          "it has failed 3 times in a row and is not asked again; "
                          "see to it and run this again"));
  }
  EXPECT_EQ(script.read("log"), "asked\nasked\nasked\nasked\nasked\nasked\n");
}

TEST(CommandSigner, IsNotGivenUpForRefusals) {
  const Script script("read line; echo '{\"id\":'$(cat \"$dir/id\")',\"error\":\"no\"}'");
  const auto signs = signer(script.key(Mode::call));
  for (int i = 1; i <= 6; ++i) {
    std::ofstream(script / "id") << i;
    EXPECT_THAT(crypto::sign_message(*signs, bytes_of(kMessage)),
                FailsWith(Code::crypto, "it refused: no"));
  }
}

TEST(CommandSigner, ShowsALongRefusalInOneShortLine) {
  const Script script(
      "read line; echo '{\"id\":1,\"error\":\"a\\\\nb'$(head -c 3000 /dev/zero | tr '\\0' x)'\"}'");
  const auto refused = sign_by(script, Mode::call);
  ASSERT_THAT(refused, FailsWith(Code::crypto, "it refused: a\\nb"));
  EXPECT_LT(refused.error().message().size(), 1300U);
}

TEST(CommandSigner, LeavesItsStandardErrorAlone) {
  const Script script("read line; echo 'it said why' >&2; exit 1");
  testing::internal::CaptureStderr();
  EXPECT_FALSE(sign_by(script, Mode::call).has_value());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "it said why\n");
}

TEST(CommandSigner, SignsOnManyThreads) {
  IMPRINT_NEED_COMMAND("jq");
  const auto first = signer(example_command(p256_ca(), Mode::coprocess));
  std::vector<std::unique_ptr<crypto::Signer>> signers;
  for (int i = 0; i < 4; ++i)
    signers.push_back(first->clone().value());
  std::atomic<int> signed_count = 0;
  {
    std::vector<std::jthread> threads;
    for (auto& own : signers) {
      threads.emplace_back([&own, &signed_count] {
        for (int i = 0; i < 5; ++i) {
          if (crypto::sign_message(*own, bytes_of(kMessage))) ++signed_count;
        }
      });
    }
  }
  EXPECT_EQ(signed_count, 20);
}

}  // namespace
}  // namespace imprint::authority
