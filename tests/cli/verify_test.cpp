// What verify does besides judging one image: directories, stores, bad questions.

#include <fstream>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include "verify_fixture.hpp"

namespace imprint::cli::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Verify : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_IMAGES();
    IMPRINT_NEED_IMAGE_ORACLE();
    folder_.emplace(Variant::empty_b, 3);
  }

  void make(const std::string& format) {
    folder_->manifest["output"]["format"] = format;
    folder_->save();
    const CommandResult made = imprint({"batch", "manifest.json"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  std::optional<BatchFolder> folder_;
};

TEST_F(Verify, OneImageIsToldInFullManyInBrief) {
  make("image");
  const auto one = imprint({"verify", "out/unit-1.sdimg"});
  EXPECT_EQ(one.status, 0) << one.out;
  EXPECT_THAT(one.out, HasSubstr("out/unit-1.sdimg: good\n"));
  EXPECT_THAT(one.out, HasSubstr("  ok   file-systems       "));
  EXPECT_THAT(one.out, HasSubstr("  -    chain              say whom to trust with --ca\n"));
  EXPECT_THAT(one.out, HasSubstr("  -    revocation         give the CA's CRL with --crl\n"));
  EXPECT_THAT(one.out, HasSubstr("  -    ledger             name it with --ledger\n"));
  EXPECT_THAT(one.out, HasSubstr("  -    manifest           name it with --manifest\n"));
  EXPECT_THAT(one.out, HasSubstr("  -    golden             name it with --golden\n"));
  const auto many = imprint({"verify", "out", "--ca", "ca"});
  EXPECT_EQ(many.out, "out/unit-1.sdimg: good\nout/unit-2.sdimg: good\nout/unit-3.sdimg: good\n");
  EXPECT_THAT(many.err, IsEmpty());
  const auto quick = imprint({"verify", "out", "--quick", "--verbose", "--jobs", "1"});
  EXPECT_THAT(quick.out, HasSubstr("  -    key-copies         left out by --quick\n"));
  EXPECT_THAT(quick.out, HasSubstr("  -    bmap               left out by --quick\n"));
  EXPECT_THAT(quick.out, HasSubstr("  ok   ledger             unit-3, placed on "));
}

TEST_F(Verify, WritesNothing) {
  make("image");
  const auto before = listing(".");
  const auto all = imprint({"verify", "out", "--ca", "ca", "--manifest", "manifest.json",
                            "--golden", golden_image().string()});
  EXPECT_EQ(all.status, 0) << all.out;
  EXPECT_EQ(listing("."), before);
}

TEST_F(Verify, DevicesOfAStoreAreLookedAtWithoutMakingThem) {
  make("overlay");
  const auto before = listing(".");
  const auto all =
      imprint({"verify", "out/overlays.db", "--ca", "ca", "--manifest", "manifest.json", "--json"});
  EXPECT_EQ(all.status, 0) << all.out << all.err;
  const Json document = Json::parse(all.out);
  ASSERT_EQ(document["images"].size(), 3U);
  EXPECT_EQ(document["images"][1]["image"], "out/overlays.db: unit-2");
  EXPECT_EQ(document["images"][1]["device"], "unit-2");
  EXPECT_EQ(document["images"][1]["subject"], "O=Test,CN=unit-2.devices.example.com");
  EXPECT_EQ(listing("."), before);
  const auto directory = imprint({"verify", "out"});
  EXPECT_EQ(directory.out,
            "out/overlays.db: unit-1: good\nout/overlays.db: unit-2: good\n"
            "out/overlays.db: unit-3: good\n");
}

TEST_F(Verify, AnotherBaseImageThanTheStoresIsRefused) {
  folder_->own_image();
  make("overlay");
  const auto made =
      imprint({"materialize", "out/overlays.db", "--id", "unit-2", "--output", "two.sdimg"});
  ASSERT_EQ(made.status, 0) << made.err;
  const std::string key = ImageOracle("two.sdimg").cat(kData, kKeyInData);
  // The store goes by the base's digest, so that has to be told, too.
  Specimen("own.sdimg").write_at(std::uint64_t{5} << 20, key);
  const auto other = imprint({"verify", "out/overlays.db"});
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("is not the base image that 'out/overlays.db' was made from"));
}

TEST_F(Verify, CompressedImagesAndTheirBlockMaps) {
  make("image");
  ASSERT_EQ(run_command({"gzip", "-1", "out/unit-1.sdimg"}).status, 0);
  const auto verified = imprint({"verify", "out/unit-1.sdimg.gz", "--ca", "ca", "--manifest",
                                 "manifest.json", "--ledger", "out/ledger.db"});
  EXPECT_EQ(verified.status, 0) << verified.out;
  EXPECT_THAT(verified.out, HasSubstr("  ok   bmap               out/unit-1.sdimg.bmap matches\n"));
  EXPECT_THAT(verified.out, HasSubstr("  ok   manifest           unit-1\n"));
}

TEST_F(Verify, AnImageThatIsNamedTwiceIsOneImage) {
  make("image");
  const auto twice = imprint({"verify", "out/unit-1.sdimg", "out/../out/unit-1.sdimg"});
  EXPECT_EQ(twice.status, 0) << twice.out;
  EXPECT_EQ(twice.out, "out/unit-1.sdimg: good\n");
}

TEST_F(Verify, WhatElseIsInADirectoryIsPassedOver) {
  make("image");
  fs::create_hard_link("out/unit-1.sdimg", "out/latest.sdimg");
  fs::create_symlink("unit-2.sdimg", "out/newest.sdimg");
  for (const char* name : {"README.txt", "SHA256SUMS", "unit-1.sdimg.sig", "events.jsonl"})
    std::ofstream(fs::path("out") / name) << "no image\n";
  const auto all = imprint({"verify", "out", "out/unit-2.sdimg", "--quick"});
  EXPECT_EQ(all.status, 0) << all.out;
  EXPECT_EQ(all.out, "out/latest.sdimg: good\nout/newest.sdimg: good\nout/unit-3.sdimg: good\n");
}

TEST_F(Verify, WhatMayNotBeReadSaysNothingOfTheImage) {
  make("image");
  fs::permissions("out/unit-1.sdimg", fs::perms::none);
  const auto as_nobody = run_command(
      {"setpriv", "--reuid", "65534", "--clear-groups", binary(), "verify", "out/unit-1.sdimg"});
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  EXPECT_EQ(as_nobody.status, 4) << as_nobody.out << as_nobody.err;
  EXPECT_THAT(as_nobody.out, HasSubstr("Permission denied"));
}

TEST_F(Verify, GoesOnWithTheThreadsThatThereAre) {
  make("image");
  IMPRINT_NEED_COMMAND("prlimit");
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  fs::permissions("out", fs::perms{0755});
  for (const auto& entry : fs::directory_iterator("out"))
    fs::permissions(entry.path(), fs::perms{0755});
  fs::permissions(".", fs::perms{0755});
  for (const char* limit : {"--nproc=1", "--nproc=2"}) {
    const auto verified =
        run_command({"setpriv", "--reuid", "65533", "--clear-groups", "prlimit", limit, binary(),
                     "verify", "out/unit-1.sdimg", "out/unit-2.sdimg"});
    EXPECT_EQ(verified.status, 0) << limit << verified.out << verified.err;
  }
}

TEST_F(Verify, AnImageThatIsMissingIsOneThatFailed) {
  make("image");
  const auto verified = imprint({"verify", "out/unit-1.sdimg", "out/unit-9.sdimg"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_EQ(verified.out,
            "out/unit-1.sdimg: good\nout/unit-9.sdimg: BAD\n"
            "  FAIL partitions         opening 'out/unit-9.sdimg': No such file or directory\n");
  EXPECT_EQ(verified.err, "imprint: 1 of 2 images failed\n");
}

TEST_F(Verify, RevokedByTheLedgerOfItsDirectory) {
  make("image");
  const auto revoked = imprint({"ca", "revoke", "ca", "--ledger", "out/ledger.db", "--id", "unit-2",
                                "--reason", "keyCompromise"});
  ASSERT_EQ(revoked.status, 0) << revoked.err;
  const auto verified = imprint({"verify", "out", "--ca", "ca", "--quick"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.out,
              HasSubstr("out/unit-2.sdimg: BAD\n  FAIL revocation         revoked on "));
  EXPECT_THAT(verified.out, HasSubstr(" (keyCompromise), by the ledger\nout/unit-3.sdimg: good\n"));
}

TEST_F(Verify, BadQuestionsAreErrors) {
  make("image");
  ASSERT_EQ(imprint({"ca", "init", "other", "--cn", "Other CA"}).status, 0);
  const auto crl = imprint({"ca", "crl", "ca", "--ledger", "out/ledger.db", "--output", "crl.pem"});
  ASSERT_EQ(crl.status, 0) << crl.err;
  fs::create_directory("empty");
  std::ofstream("two.pem") << imprint::test::slurp("crl.pem") << imprint::test::slurp("crl.pem");

  struct Question {
    std::vector<std::string> arguments;
    int status;
    std::string message;
  };

  const std::vector<Question> questions = {
      {{"empty"}, 2, "'empty' holds no image and no overlay store"},
      {{"out", "--ca", "nowhere.pem"}, 2, "--ca: opening 'nowhere.pem': No such file or directory"},
      {{"out", "--ca", "empty"}, 2, "--ca: there is no CA in 'empty'"},
      {{"out", "--ca", "devices.csv"}, 2, "--ca: 'devices.csv': "},
      {{"out", "--crl", "crl.pem"}, 2, "--crl: name the CA that signed it with --ca"},
      {{"out", "--ca", "other", "--crl", "crl.pem"},
       2,
       "--crl: 'crl.pem' is signed by none of the CAs given: name its CA with --ca"},
      {{"out", "--ca", "ca", "--crl", "devices.csv"}, 2, "--crl: 'devices.csv': is no CRL: "},
      {{"out", "--ca", "ca", "--crl", "two.pem"},
       2,
       "--crl: 'two.pem' holds more than one CRL: give each in a file of its own"},
      {{"out", "--ca", "ca", "--crl", "nowhere.pem"},
       2,
       "--crl: opening 'nowhere.pem': No such file or directory"},
      {{"out", "--ledger", "nowhere.db"}, 2, "--ledger: "},
      {{"out", "--ledger", "devices.csv"}, 2, "--ledger: "},
      {{"out", "--manifest", "nowhere.json"}, 2, "--manifest: "},
      {{"out", "--golden", "nowhere.img"},
       2,
       "--golden: opening 'nowhere.img': No such file or directory"},
      {{"out", "--bmap", "out/unit-1.sdimg.bmap"},
       2,
       "--bmap is of one image; leave it out, and each image's own .bmap is taken"},
      {{"out", "--at", "yesterday"}, 2, "--at: "},
  };
  for (const Question& question : questions) {
    std::vector<std::string> command = {"verify"};
    command.insert(command.end(), question.arguments.begin(), question.arguments.end());
    const auto answered = imprint(command);
    SCOPED_TRACE(fmt::format("{}", fmt::join(command, " ")));
    EXPECT_EQ(answered.status, question.status) << answered.err;
    EXPECT_THAT(answered.err, testing::StartsWith("imprint: error: " + question.message));
    EXPECT_THAT(answered.out, IsEmpty());
  }
}

}  // namespace
}  // namespace imprint::cli::test
