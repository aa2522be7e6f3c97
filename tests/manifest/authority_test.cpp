// Where a manifest, or a CA folder's authority.json, says that the CA is.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "imprint/manifest/authority_file.hpp"
#include "imprint/manifest/authority_folder.hpp"
#include "imprint/manifest/manifest.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::manifest {
namespace {

using authority::CommandKey;
using authority::KeyFile;
using authority::TokenKey;
using test::FailsWith;
using test::IsOk;

Result<authority::AuthoritySource> authority_of(const std::string& json) {
  const auto manifest = parse_manifest(
      fmt::format(R"({{"version": 1, "image": "i", "authority": {}, "devices": "d.csv"}})", json),
      "batch/m.json");
  if (!manifest) return fail(manifest.error());
  return manifest->authority;
}

TEST(AuthorityOfAManifest, CanBeAToken) {
  const auto source = authority_of(
      R"({"certificate": "ca.pem", "key": "pkcs11:token=ca", "pin": "file:pin", "chain": "up.pem"})");
  ASSERT_THAT(source, IsOk());
  EXPECT_EQ(std::get<TokenKey>(source->key).uri, "pkcs11:token=ca");
  EXPECT_EQ(source->certificate, "batch/ca.pem");
  EXPECT_EQ(source->chain, fs::path("batch/up.pem"));
  ASSERT_TRUE(source->passphrase);
  EXPECT_EQ(source->passphrase->argument, "batch/pin");
}

TEST(AuthorityOfAManifest, CanBeACommand) {
  const auto source = authority_of(R"({"certificate": "ca.pem", "command": ["sign", "a/b", ""]})");
  ASSERT_THAT(source, IsOk());
  const auto& command = std::get<CommandKey>(source->key);
  EXPECT_THAT(command.command, testing::ElementsAre("sign", "a/b", ""));
  EXPECT_EQ(command.mode, CommandKey::Mode::coprocess);
  EXPECT_EQ(command.timeout, std::chrono::seconds(30));
  const auto other = authority_of(
      R"({"certificate": "ca.pem", "command": ["./sign"], "command_mode": "call", "command_timeout": 7})");
  ASSERT_THAT(other, IsOk());
  const auto& call = std::get<CommandKey>(other->key);
  EXPECT_EQ(fs::path(call.command.front()).lexically_normal(), "batch/sign");
  EXPECT_EQ(call.mode, CommandKey::Mode::call);
  EXPECT_EQ(call.timeout, std::chrono::seconds(7));
  const auto absolute = authority_of(R"({"certificate": "ca.pem", "command": ["/bin/sign"]})");
  ASSERT_THAT(absolute, IsOk());
  EXPECT_THAT(std::get<CommandKey>(absolute->key).command, testing::ElementsAre("/bin/sign"));
}

TEST(AuthorityOfAManifest, HasToMakeSense) {
  const std::pair<const char*, const char*> rows[] = {
      {R"({"certificate": "c"})", "/authority: exactly one of 'key' and 'command' is needed"},
      {R"({"certificate": "c", "key": "k", "command": ["s"]})",
       "/authority: exactly one of 'key' and 'command' is needed"},
      {R"({"key": "k"})", "/authority: key 'certificate' is missing"},
      {R"({"certificate": "c", "kee": "k"})", "/authority/kee: unknown key (did you mean 'key'?)"},
      {R"(5)", "/authority: text or an object is expected here, not a number"},
      {R"("")", "/authority: a CA's folder is expected here, or an object with exactly one of"},
      {R"({"certificate": "c", "command": []})", "/authority/command: this cannot be empty"},
      {R"({"certificate": "c", "command": "sign"})",
       "/authority/command: an array is expected here, not text"},
      {R"({"certificate": "c", "command": [""]})",
       "/authority/command: the first text names the program"},
      {R"({"certificate": "c", "command": ["s", "a\u0000b"]})",
       "/authority/command: an argument cannot hold a NUL character"},
      {R"({"certificate": "c", "command": ["s"], "command_mode": "fork"})",
       "/authority/command_mode: 'fork' is not one of 'coprocess', 'call'"},
      {R"({"certificate": "c", "command": ["s"], "command_timeout": 0})",
       "/authority/command_timeout: 0 is not possible; 1 to 3600 is"},
      {R"({"certificate": "c", "key": "k", "command_mode": "call"})",
       "/authority/command_mode: is for a 'command'"},
      {R"({"certificate": "c", "key": "k", "command_timeout": 5})",
       "/authority/command_timeout: is for a 'command'"},
      {R"({"certificate": "c", "key": "k", "pin": "env:P"})",
       "/authority/pin: is for a pkcs11: key; where a key file's passphrase is says 'passphrase'"},
      {R"({"certificate": "c", "command": ["s"], "pin": "env:P"})",
       "/authority/pin: is for a pkcs11: key; a command gets its secrets by itself"},
      {R"({"certificate": "c", "key": "pkcs11:token=x", "passphrase": "env:P"})",
       "/authority/passphrase: is for a key file; where a token's PIN is says 'pin'"},
      {R"({"certificate": "c", "command": ["s"], "passphrase": "env:P"})",
       "/authority/passphrase: is for a key file; a command gets its secrets by itself"},
      {R"({"certificate": "c", "key": "pkcs11:token=%z"})",
       "/authority/key: it is no PKCS#11 URI (RFC 7512)"},
      {R"({"certificate": "c", "key": "pkcs11:token=x;type=public"})",
       "/authority/key: 'pkcs11:token=x;type=public' names no private key"},
  };
  for (const auto& [json, message] : rows) {
    EXPECT_THAT(authority_of(json),
                FailsWith(Code::invalid_input, std::string("batch/m.json: ") + message))
        << json;
  }
}

TEST(AuthorityOfAManifest, NeverRepeatsAPin) {
  for (const char* const json :
       {R"({"certificate": "c", "key": "pkcs11:token=x", "pin": "271828"})",
        R"({"certificate": "c", "key": "pkcs11:token=x?pin-value=271828"})"}) {
    const auto refused = authority_of(json);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), testing::Not(testing::HasSubstr("271828")));
  }
  EXPECT_THAT(
      authority_of(R"({"certificate": "c", "key": "pkcs11:token=x", "pin": "271828"})"),
      FailsWith(Code::invalid_input, "/authority/pin: says where the PIN comes from: env:NAME"));
}

TEST(AuthorityFile, IsTheSameObjectWithPathsOfItsOwn) {
  const test::TempDir dir;
  const auto path =
      dir.write("authority.json",
                R"({"certificate": "ca.pem", "key": "pkcs11:token=ca", "pin": "file:pin"})");
  const auto source = read_authority_file(path);
  ASSERT_THAT(source, IsOk());
  EXPECT_EQ(source->certificate, dir / "ca.pem");
  EXPECT_EQ(std::get<TokenKey>(source->key).uri, "pkcs11:token=ca");
  EXPECT_EQ(source->passphrase->argument, (dir / "pin").string());
  const auto found = find_authority(dir.path());
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->certificate, dir / "ca.pem");
}

TEST(AuthorityFolder, SaysWhyItCannotTell) {
  const test::TempDir dir;
  dir.write("ca-cert.pem", "");
  fs::create_symlink("ca-private.key", dir / "ca-private.key");
  EXPECT_THAT(find_authority(dir.path()),
              FailsWith(Code::invalid_input, "looking for '" + (dir / "ca-private.key").native() +
                                                 "': Too many levels of symbolic links"));
  EXPECT_THAT(find_authority(dir.path(), KeyNeed::none), IsOk());
  fs::create_symlink("authority.json", dir / "authority.json");
  EXPECT_THAT(find_authority(dir.path(), KeyNeed::none),
              FailsWith(Code::invalid_input, "authority.json': Too many levels"));
}

TEST(AuthorityFile, HasToBeRight) {
  const test::TempDir dir;
  const std::pair<const char*, const char*> rows[] = {
      {R"("ca")", "it has to be a JSON object with 'certificate' and 'key' or 'command'"},
      {R"({"certificate": "c"})", "exactly one of 'key' and 'command' is needed"},
      {R"({"certificate": "c", "key": 5})", "/key: text is expected here, not a number"},
      {R"({"certificate": "c", "keey": "k"})", "/keey: unknown key (did you mean 'key'?)"},
      {R"({"certificate": "c", "key": "k", "passphrase": "hunter2"})",
       "/passphrase: says where the passphrase comes from"},
      {R"({"certificate": "c", )", "not valid JSON"},
  };
  for (const auto& [json, message] : rows) {
    const auto path = dir.write("authority.json", json);
    const auto refused = read_authority_file(path);
    EXPECT_THAT(refused, FailsWith(Code::invalid_input, path.string() + ": ")) << json;
    EXPECT_THAT(refused, FailsWith(Code::invalid_input, message)) << json;
  }
  EXPECT_THAT(read_authority_file(dir / "none.json"), FailsWith(Code::not_found, "none.json"));
}

}  // namespace
}  // namespace imprint::manifest
