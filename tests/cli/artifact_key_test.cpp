// The pair that signs Artifacts, by the program that signs and verifies them.

#include <sys/stat.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "batch_fixture.hpp"
#include "imprint/crypto/key.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;
using testing::HasSubstr;

class ArtifactKey : public testing::Test {
 protected:
  ArtifactKey() : before_(fs::current_path()) { fs::current_path(dir_.path()); }

  ~ArtifactKey() override { fs::current_path(before_); }

  imprint::test::TempDir dir_;
  fs::path before_;
};

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

CommandResult sign(const std::string& key, const std::string& artifact) {
  return run_command({"mender-artifact", "write", "module-image", "-T", "single-file", "-t",
                      "board", "-n", "release-1", "-f", "payload", "-k", key, "-o", artifact});
}

CommandResult validate(const std::string& key, const std::string& artifact) {
  return run_command({"mender-artifact", "validate", "-k", key, artifact});
}

TEST_F(ArtifactKey, MakesPairsThatMenderArtifactSignsAndVerifiesWith) {
  IMPRINT_NEED_COMMAND("mender-artifact");
  IMPRINT_NEED_COMMAND("openssl");
  dir_.write("payload", "new firmware\n");
  for (const std::string kind : {"rsa:3072", "ec:P-256"}) {
    const auto made = imprint({"artifact-key", "--out", "keys", "--key", kind, "--force"});
    ASSERT_EQ(made.status, 0) << made.err;
    EXPECT_EQ(mode_of("keys/artifact-private.key"), 0600U);
    EXPECT_EQ(mode_of("keys/artifact-public.key"), 0644U);
    EXPECT_EQ(openssl({"pkey", "-in", "keys/artifact-private.key", "-pubout"}),
              slurp("keys/artifact-public.key"));
    const auto signed_with_it = sign("keys/artifact-private.key", "release.mender");
    ASSERT_EQ(signed_with_it.status, 0) << kind << signed_with_it.err << signed_with_it.out;
    const auto good = validate("keys/artifact-public.key", "release.mender");
    EXPECT_EQ(good.status, 0) << kind << good.err;

    ASSERT_EQ(imprint({"artifact-key", "--out", "others", "--key", kind, "--force"}).status, 0);
    EXPECT_NE(validate("others/artifact-public.key", "release.mender").status, 0) << kind;
  }
}

TEST_F(ArtifactKey, IsRsa3072UnlessSaidOtherwise) {
  IMPRINT_NEED_COMMAND("openssl");
  ASSERT_EQ(imprint({"artifact-key"}).status, 0);
  EXPECT_THAT(openssl({"pkey", "-in", "artifact-private.key", "-noout", "-text"}),
              HasSubstr("(3072 bit"));
}

TEST_F(ArtifactKey, NeverOverwritesUnlessToldTo) {
  ASSERT_EQ(imprint({"artifact-key", "--key", "ec:P-256"}).status, 0);
  const std::string before = slurp("artifact-private.key");
  const auto again = imprint({"artifact-key", "--key", "ec:P-256"});
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(again.err,
            "imprint: error: './artifact-private.key' exists and is not overwritten; devices that "
            "trust the key in it could not be updated with another: choose another folder with "
            "--out, or --force\n");
  EXPECT_EQ(slurp("artifact-private.key"), before);
  // One of the two is enough to refuse, and nothing is half-written.
  fs::remove("artifact-private.key");
  EXPECT_EQ(imprint({"artifact-key", "--key", "ec:P-256"}).status, 2);
  EXPECT_FALSE(fs::exists("artifact-private.key"));
  ASSERT_EQ(imprint({"artifact-key", "--key", "ec:P-256", "--force"}).status, 0);
  EXPECT_NE(slurp("artifact-private.key"), before);
}

TEST_F(ArtifactKey, RefusesKindsThatCannotSign) {
  const auto made = imprint({"artifact-key", "--key", "ed25519"});
  EXPECT_EQ(made.status, 2);
  EXPECT_EQ(made.err,
            "imprint: error: --key: 'ed25519' cannot sign Artifacts; rsa:2048, rsa:3072, rsa:4096 "
            "and ec:P-256 can\n");
}

TEST_F(ArtifactKey, AFolderThatCannotBeMadeIsAnEnvironmentFailure) {
  dir_.write("file", "");
  const auto made = imprint({"artifact-key", "--out", "file/below", "--key", "ec:P-256"});
  EXPECT_NE(made.status, 0);
  EXPECT_THAT(made.err, HasSubstr("'file/below'"));
}

// What devices get is what was made, and only an Artifact that was signed with it passes.
TEST(ArtifactKeyInImages, TheKeyInTheImageVerifiesWhatThePairHasSigned) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("mender-artifact");
  BatchFolder folder(Variant::populated, 1);
  folder.write("payload", "new firmware\n");
  ASSERT_EQ(imprint({"artifact-key", "--out", "keys"}).status, 0);
  ASSERT_EQ(sign("keys/artifact-private.key", "release.mender").status, 0);
  folder.manifest["mender_conf"]["artifact_verify_key"] = "keys/artifact-public.key";
  folder.save();
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;

  const auto read = imprint({"cat", "out/unit-1.sdimg:/etc/mender/artifact-verify-key.pem"});
  ASSERT_EQ(read.status, 0) << read.err;
  folder.write("from-image.pem", read.out);
  EXPECT_EQ(validate("from-image.pem", "release.mender").status, 0);
  ASSERT_EQ(imprint({"artifact-key", "--out", "others"}).status, 0);
  ASSERT_EQ(sign("others/artifact-private.key", "foreign.mender").status, 0);
  EXPECT_NE(validate("from-image.pem", "foreign.mender").status, 0);
}

}  // namespace
}  // namespace imprint::cli::test
