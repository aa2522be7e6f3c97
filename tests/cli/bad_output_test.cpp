// Output that cannot be written, and commands that make no sense.

#include <sys/mount.h>

#include <gmock/gmock.h>

#include "refusal.hpp"

namespace imprint::cli::test {
namespace {

void nothing(BatchFolder& /*folder*/) {}

std::function<void(BatchFolder&)> output(const std::string& directory) {
  return [directory](BatchFolder& folder) {
    folder.manifest["output"]["directory"] = directory;
    folder.save();
  };
}

TEST(BadOutput, PlacesThatAreNoDirectoryAreRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"a file", output("devices.csv"),
       "output directory 'devices.csv': 'devices.csv' is not a directory"},
      {"below a file", output("devices.csv/out"),
       "output directory 'devices.csv/out': 'devices.csv' is not a directory"},
      {"a dangling link",
       [](BatchFolder& folder) {
         fs::create_symlink("nowhere/at/all", "out");
         output("out")(folder);
       },
       "output directory 'out': 'out' is a symbolic link that leads nowhere"},
  });
}

TEST(BadOutput, AFileSystemThatIsReadOnlyIsTheEnvironmentsFault) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::empty_b, 1);
  fs::create_directory("locked");
  // Root may write anywhere, but not on a read-only file system; others are stopped by the mode.
  const bool mounted = ::mount("none", "locked", "tmpfs", MS_RDONLY, nullptr) == 0;
  if (!mounted) fs::permissions("locked", fs::perms(0555));
  const auto refused = imprint({"batch", "manifest.json", "--output", "locked/out"});
  if (mounted) ::umount2("locked", MNT_DETACH);
  EXPECT_EQ(refused.status, 4);
  EXPECT_EQ(refused.err,
            std::string("imprint: error: output directory 'locked/out': cannot write to "
                        "'locked': ") +
                (mounted ? "Read-only file system\n" : "Permission denied\n"));
}

TEST(BadOutput, FilesOfOthersInTheirPlaceAreLeftAlone) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"ledger",
       [](BatchFolder& folder) {
         fs::create_directory("out");
         folder.write("out/ledger.db",
                      "not a ledger, but somebody's work, and longer than a header of SQLite's\n");
       },
       "'out/ledger.db' is no SQLite file, no ledger"},
  });
}

TEST(BadOutput, AStoreOfAnotherBatchIsLeftAlone) {
  IMPRINT_NEED_IMAGES();
  BatchFolder folder(Variant::empty_b, 1);
  ASSERT_EQ(imprint({"batch", "manifest.json", "--format", "overlay"}).status, 0);
  const std::string before = imprint::test::sha256_of_file("out/overlays.db");
  folder.manifest["mender_conf"]["merge"]["ServerURL"] = "https://other.example.com";
  folder.save();
  const auto refused = imprint({"batch", "manifest.json", "--format", "overlay"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err,
              testing::StrEq("imprint: error: overlay store 'out/overlays.db' was made from "
                             "another base image or manifest: choose another output directory "
                             "or move the store away\n"));
  EXPECT_EQ(imprint::test::sha256_of_file("out/overlays.db"), before);
}

TEST(BadUsage, IsOneLineAndExitStatusTwo) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"no command", nothing, "A subcommand is required (see 'imprint --help')", 2, {}},
      {"unknown command",
       nothing,
       "there is no command 'bach' (see 'imprint --help')",
       2,
       {"bach"}},
      {"unknown option",
       nothing,
       "The following argument was not expected: --dryrun (see 'imprint batch --help')",
       2,
       {"batch", "manifest.json", "--dryrun"}},
      {"no manifest", nothing, "MANIFEST is required (see 'imprint batch --help')", 2, {"batch"}},
      {"no jobs",
       nothing,
       "--jobs: Value 0 not in range 1 to 1024 (see 'imprint batch --help')",
       2,
       {"batch", "manifest.json", "--jobs", "0"}},
      {"jobs in words",
       nothing,
       "--jobs: Value many not in range 1 to 1024 (see 'imprint batch --help')",
       2,
       {"batch", "manifest.json", "--jobs", "many"}},
      {"no limit",
       nothing,
       "--limit: Value 0 not in range 1 to 4294967296 (see 'imprint batch --help')",
       2,
       {"batch", "manifest.json", "--limit", "0"}},
      {"format",
       nothing,
       "--format: 'zip' is no output format; 'image' and 'overlay' are",
       2,
       {"batch", "manifest.json", "--format", "zip"}},
      {"events",
       nothing,
       "--events 'nowhere/e.jsonl': No such file or directory",
       2,
       {"batch", "manifest.json", "--events", "nowhere/e.jsonl"}},
      {"no id",
       nothing,
       "--id is required (see 'imprint inject --help')",
       2,
       {"inject", "base.sdimg", "--ca", "ca"}},
      {"no identity",
       nothing,
       "say where the identity comes from: --ca DIR, --cert FILE --key FILE, or --manifest FILE",
       2,
       {"inject", "base.sdimg", "--id", "a", "--output", "x"}},
      {"half an identity",
       nothing,
       "--cert requires --key (see 'imprint inject --help')",
       2,
       {"inject", "base.sdimg", "--id", "a", "--cert", "x"}},
      {"both ways",
       nothing,
       "--ca excludes --cert (see 'imprint inject --help')",
       2,
       {"inject", "base.sdimg", "--id", "a", "--cert", "x", "--key", "y", "--ca", "ca"}},
      {"set without value",
       nothing,
       "--set 'serial': write name=value",
       2,
       {"inject", "base.sdimg", "--id", "a", "--manifest", "manifest.json", "--set", "serial",
        "--output", "x"}},
      {"store",
       nothing,
       "opening 'nowhere.db': No such file or directory",
       2,
       {"materialize", "nowhere.db", "--id", "unit-1"}},
      {"no store",
       nothing,
       "'devices.csv' is not an overlay store",
       2,
       {"materialize", "devices.csv", "--id", "unit-1"}},
      {"verify nothing",
       nothing,
       "IMAGES is required (see 'imprint verify --help')",
       2,
       {"verify"}},
      {"verify with no CA",
       nothing,
       "--ca: opening 'nowhere.pem': No such file or directory",
       2,
       {"verify", "base.sdimg", "--ca", "nowhere.pem"}},
      {"date",
       nothing,
       "--at: 'yesterday' is no date: write 2030-01-31 or 2030-01-31T12:00:00Z",
       2,
       {"verify", "base.sdimg", "--at", "yesterday"}},
      {"CA exists",
       nothing,
       "'ca/ca-private.key' exists; a CA is never overwritten: choose another folder, or move this "
       "one away",
       2,
       {"ca", "init", "ca"}},
      {"no CA command", nothing, "A subcommand is required (see 'imprint ca --help')", 2, {"ca"}},
      {"unknown CA command",
       nothing,
       "there is no command 'ca initt' (see 'imprint ca --help')",
       2,
       {"ca", "initt", "new"}},
      {"days in words",
       nothing,
       "Could not convert: --days = many (see 'imprint ca init --help')",
       2,
       {"ca", "init", "new", "--days", "many"}},
      {"CA country",
       nothing,
       "--country: 'Norway' is no country; C takes the two capital letters of ISO 3166",
       2,
       {"ca", "init", "new", "--country", "Norway"}},
      {"CA key",
       nothing,
       "--key: 'rsa' is no key kind; known are ec:P-256, ec:P-384, ec:P-521, rsa:2048, rsa:3072, "
       "rsa:4096, ed25519",
       2,
       {"ca", "init", "new", "--key", "rsa"}},
      {"CA passphrase",
       nothing,
       "--passphrase: a passphrase source is env:NAME, file:PATH, fd:N, credential:NAME or prompt "
       "(what was given is not shown here: it may be a passphrase)",
       2,
       {"ca", "init", "new", "--passphrase", "hunter2"}},
  });
}

// What a script gives whose variable is not set. Taken for an option that was not given, it would
// be a key without a passphrase, a CA in the working directory, a CA of the default name.
TEST(BadUsage, AnEmptyValueIsRefused) {
  IMPRINT_NEED_IMAGES();
  const std::string rest = ": the value is empty; give one, or leave the option out (see 'imprint ";
  expect_refusals({
      {"passphrase",
       nothing,
       "--passphrase" + rest + "ca init --help')",
       2,
       {"ca", "init", "new", "--passphrase", ""}},
      {"passphrase after =",
       nothing,
       "--passphrase: 1 required TEXT missing (see 'imprint ca init --help')",
       2,
       {"ca", "init", "new", "--passphrase="}},
      {"name", nothing, "--cn" + rest + "ca init --help')", 2, {"ca", "init", "new", "--cn", ""}},
      {"folder", nothing, "DIR" + rest + "ca init --help')", 2, {"ca", "init", ""}},
      {"ledger",
       nothing,
       "--ledger" + rest + "ca crl --help')",
       2,
       {"ca", "crl", "ca", "--output", "x", "--ledger", ""}},
      {"image",
       nothing,
       "--image" + rest + "batch --help')",
       2,
       {"batch", "manifest.json", "--image", ""}},
  });
}

TEST(Usage, HelpAndVersionAreData) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--help"},
                                             {"batch", "--help"},
                                             {"inject", "--help"},
                                             {"materialize", "--help"},
                                             {"verify", "--help"},
                                             {"ca", "--help"},
                                             {"ca", "init", "--help"}}) {
    const auto help = imprint(arguments);
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, testing::HasSubstr("Examples:"));
    EXPECT_EQ(help.err, "");
  }
  const auto version = imprint({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, testing::MatchesRegex("imprint [0-9.]+ \\([0-9a-z]+\\)\n"));
}

}  // namespace
}  // namespace imprint::cli::test
